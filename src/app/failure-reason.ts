import { EyrieError } from '../domain/errors.js';

const causesMax = 3;
const charsMax = 300;

/** The name of a failed system call, e.g. `EACCES`, wherever in the chain of causes it stands. */
function errnoOf(error: unknown): string | null {
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth <= causesMax; depth++, at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && /^E[A-Z0-9]{2,20}$/.test(code)) return code;
  }
  return null;
}

/** What stands in quotes are keys, paths and values, which may be a user's words. From the first quote to the last: a name may hold one. */
const withoutQuoted = (text: string): string => text.replace(/(['"`]).*\1/s, '$1…$1');

/** Why something failed, in words that are fit for the log: what our messages say, without what they quote. */
export function failureReason(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const errno = errnoOf(error);
  // The messages of other libraries may quote anything, with or without marks.
  const said = error instanceof EyrieError ? withoutQuoted(error.message).slice(0, charsMax) : error.name;
  return errno === null || said.includes(errno) ? said : `${said} (${errno})`;
}
