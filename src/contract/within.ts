import { z } from 'zod';
import { bounds, type BoundName } from '../domain/bounds.js';

/** A bound that is one number. */
export type NumberBound = {
  [Name in BoundName]: (typeof bounds)[Name] extends number ? Name : never;
}[BoundName];

/**
 * The check, whose issues bring the name of the bound: `parseWith` puts it into the error, by which refusals are counted. zod keeps
 * the members of an issue, also within unions. Documents are made of the check itself, and so show its number.
 */
function named<T>(bound: NumberBound, check: z.core.$ZodCheck<T>): z.core.$ZodCheck<T> {
  const look = check._zod.check.bind(check._zod);
  check._zod.check = (payload) => {
    const before = payload.issues.length;
    const looked = look(payload);
    for (let at = before; at < payload.issues.length; at++) Object.assign(payload.issues[at] ?? {}, { bound });
    return looked;
  };
  return check;
}

/** The bound that an issue is about; null when it is about none. */
export const boundOf = (issue: object | undefined): BoundName | null =>
  issue && 'bound' in issue ? (issue.bound as BoundName | null) : null;

// What stands in a request is held against a bound with these, never with zod's own `max` and `min`. They go into `check`.

/** A text of at most so many characters, or an array of at most so many elements. */
export const lengthUpTo = <T extends z.core.util.HasLength>(bound: NumberBound, message?: string) =>
  named<T>(bound, z.maxLength(bounds[bound], message));

export const valueUpTo = (bound: NumberBound, message?: string) => named<number>(bound, z.lte(bounds[bound], message));

export const valueFrom = (bound: NumberBound, message?: string) => named<number>(bound, z.gte(bounds[bound], message));
