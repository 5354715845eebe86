import { errorKinds, isErrorCode, type ErrorCode } from './errors.js';

/** The line was not refused: the batch ended, the input went away, or there was no room for results, before it ran. */
const neverRan: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'batch_cancelled',
  'batch_expired',
  'input_changed',
  'insufficient_quota',
]);

/**
 * Whether a failed line may succeed when it is run again: it was never run, or the failure was the service's. A line that was
 * refused for what it says would be refused again, and one that ended its workers would end more of them: those are run again
 * only when they are asked for by name.
 */
export const mayRunAgain = (code: string): boolean =>
  !isErrorCode(code) || neverRan.has(code) || (code !== 'worker_crashed' && errorKinds[code].status >= 500);
