import type { ErrorObject } from '../contract/error-object.js';
import { errorCode, errorKinds, EyrieError, type ErrorCode } from '../domain/errors.js';

export interface ErrorResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorObject;
}

/**
 * Texts of the errors that are not the caller's: the error's own message may name hosts, keys or paths and stays in the log.
 */
const serverMessages: Partial<Record<ErrorCode, string>> = {
  store_unavailable: 'The object store does not answer right now. Nothing that was accepted is lost. Try again.',
  queue_unavailable: 'The work queue does not answer right now. Nothing that was accepted is lost. Try again.',
  disk_full:
    'The object store has no space left. Delete files, batches or reports that are not needed any more: that works, and makes room within two minutes. Or ask the operator.',
  content_damaged:
    'The stored content of this file is not what was written, so it is not given out. Tell the operator, with the request id. The result lines of a batch can also be read by GET /v1/batches/{batch_id}/results.',
  engine_closed: 'The engine is shutting down. Try again.',
  generation_timeout:
    'No answer so far: workers are starting, or busy with other calls. Try again; for many prompts use a batch.',
  worker_lost: 'The worker that was making this answer has ended. Try again.',
  service_unavailable: 'The service cannot take this request right now. Try again.',
};

/** Whole seconds from 1 to 60: the range that every official client obeys. */
const retryAfterSeconds: Partial<Record<ErrorCode, number>> = {
  rate_limit_exceeded: 1,
  store_unavailable: 5,
  queue_unavailable: 5,
  engine_closed: 5,
  service_unavailable: 5,
  generation_timeout: 10,
  worker_lost: 1,
  disk_full: 30,
};

/** Errors of Fastify, in our words. */
function fromFramework(error: unknown): EyrieError | null {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  switch (code) {
    case 'FST_ERR_BAD_URL':
      return new EyrieError('invalid_value', 'The path of the URL is not well-formed: check its percent-encoding.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new EyrieError('not_found', 'No such resource: the id in the URL is too long.');
    default:
      if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
        return new EyrieError('invalid_value', 'The request is not well-formed.');
      return null;
  }
}

/**
 * The one place where an error becomes an answer. Official clients repeat every 409, 429 and 5xx on their own:
 * `x-should-retry: false` stops them where that is of no use.
 */
export function toErrorResponse(error: unknown, requestId: string): ErrorResponse {
  const known = fromFramework(error) ?? error;
  const code = errorCode(known);
  const { status, type, retryable } = errorKinds[code];
  const headers: Record<string, string> = { 'x-request-id': requestId };
  if (!retryable && (status === 409 || status === 429 || status >= 500)) headers['x-should-retry'] = 'false';
  if (retryAfterSeconds[code] !== undefined) headers['retry-after'] = String(retryAfterSeconds[code]);
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  const message =
    status < 500
      ? (known as Error).message
      : (serverMessages[code] ?? `Something went wrong on our side. If it stays so, report request id ${requestId}.`);
  const param = status < 500 ? ((known as Partial<EyrieError>).param ?? null) : null;
  return { status, headers, body: { error: { message, type, param, code } } };
}
