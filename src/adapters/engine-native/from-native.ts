import { EyrieError, isErrorCode } from '../../domain/errors.js';

/** The addon's error under our class; codes are the same on both sides. */
export function fromNative(error: unknown): unknown {
  const code: unknown = (error as { code?: unknown } | null)?.code;
  return error instanceof Error && isErrorCode(code) ? new EyrieError(code, error.message, { cause: error }) : error;
}
