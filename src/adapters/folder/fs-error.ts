import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';

/** The errno name of a file system error, or null for any other error. */
export function errnoOf(error: unknown): string | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return error instanceof Error && typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
}

const nextStep: Readonly<Record<string, string>> = {
  EACCES: 'Give this user read and write rights on the data folder.',
  EPERM: 'The data folder must be writable and on a file system with hard links.',
  ENOTSUP: 'Put the data folder on a file system with hard links.',
  EOPNOTSUPP: 'Put the data folder on a file system with hard links.',
  EROFS: 'Choose a data folder on a writable file system.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
  ENFILE: 'Raise the limit of open files of this machine.',
  ENOTDIR: 'A file lies where the object store needs a folder; move it away.',
  EISDIR: 'A folder lies where the object store needs a file; move it away.',
  EXDEV: 'The data folder must lie on one file system.',
};

const isFull = (errno: string | null): boolean => errno === 'ENOSPC' || errno === 'EDQUOT';

/** Turns a failure of the file system into `disk_full` or `store_unavailable`; other errors pass unchanged. */
export function fromFsError(error: unknown, action: string, key: string): unknown {
  const errno = errnoOf(error);
  if (errno === null) return error;
  if (isFull(errno))
    return new EyrieError(
      'disk_full',
      `No space is left to ${action} '${key}' (${errno}). Free some, then try again.`,
      {
        cause: error,
      },
    );
  const hint = nextStep[errno] ?? 'Look at the data folder and its disk.';
  return new EyrieError('store_unavailable', `Could not ${action} '${key}' (${errno}). ${hint}`, { cause: error });
}

/** A file or folder of a user, which the service may not read. The rest of the store is fine. */
const ownersOnly: ReadonlySet<string> = new Set(['EACCES', 'EPERM']);

/** The same for reading an object that may be a user's own. */
export function fromReadError(error: unknown, key: string): unknown {
  if (!key.startsWith(keys.inboxes) || !ownersOnly.has(errnoOf(error) ?? '')) return fromFsError(error, 'read', key);
  return new EyrieError(
    'input_unreadable',
    `The service may not read '${key}' (${errnoOf(error)}). Give the user that it runs as read rights on the file and on its folders, and put it there again.`,
    { cause: error },
  );
}

/** Runs a step on the file system with its failures mapped. */
export async function mapped<T>(action: string, key: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw fromFsError(error, action, key);
  }
}
