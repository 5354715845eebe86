import type { BoundName } from './bounds.js';

/**
 * All errors a user can meet. A code is stable, its HTTP status and retryability are decided here and nowhere else, and
 * `docs/errors.md` explains each. Compare codes, never classes or messages.
 */
export type ErrorType = 'invalid_request_error' | 'permission_error' | 'rate_limit_error' | 'server_error';

interface ErrorKind {
  readonly status: number;
  readonly type: ErrorType;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
}

const user = (status: number): ErrorKind => ({ status, type: 'invalid_request_error', retryable: false });
const server = (status: number, retryable: boolean): ErrorKind => ({ status, type: 'server_error', retryable });

export const errorKinds = Object.freeze({
  // The request is wrong.
  invalid_value: user(400),
  invalid_type: user(400),
  missing_required_parameter: user(400),
  unknown_parameter: user(400),
  unsupported_value: user(400),
  context_length_exceeded: user(400),
  invalid_json: user(400),
  upload_incomplete: user(400),
  upload_ended: user(400),
  invalid_api_key: user(401),
  insufficient_scope: { status: 403, type: 'permission_error', retryable: false },
  not_found: user(404),
  model_not_found: user(404),
  method_not_allowed: user(405),
  request_timeout: { status: 408, type: 'invalid_request_error', retryable: true },
  batch_not_cancellable: user(409),
  batch_not_ended: user(409),
  nothing_to_retry: user(409),
  too_many_retries: user(409),
  too_many_reports: user(409),
  file_too_large: user(413),
  body_too_large: user(413),
  unsupported_media_type: user(415),
  range_not_satisfiable: user(416),
  idempotency_key_reused: user(422),
  headers_too_large: user(431),
  insufficient_quota: { status: 429, type: 'rate_limit_error', retryable: false },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error', retryable: true },

  // A line or a file of a batch is wrong (openai-compatible codes of `errors.data[].code`).
  invalid_json_line: user(400),
  duplicate_custom_id: user(400),
  invalid_custom_id: user(400),
  invalid_method: user(400),
  invalid_url: user(400),
  mismatched_model: user(400),
  invalid_request: user(400),
  streaming_unsupported: user(400),
  empty_file: user(400),
  too_many_tasks: user(400),
  too_many_bad_lines: user(400),
  token_limit_exceeded: user(400),
  input_changed: user(400),

  // A line was given up.
  batch_cancelled: user(400),
  batch_expired: user(400),
  batch_failed: server(500, false),
  worker_crashed: server(500, false),
  numeric_error: server(500, false),

  // What was stored is not what was written.
  content_damaged: server(500, false),

  // This machine or its surroundings.
  model_invalid: server(500, false),
  model_unreadable: server(500, false),
  unsupported_device: server(500, false),
  out_of_memory: server(500, false),
  config_invalid: server(500, false),
  port_in_use: server(500, false),
  addon_missing: server(500, false),
  redis_missing: server(500, false),
  disk_full: server(507, true),
  engine_closed: server(503, true),
  store_unavailable: server(503, true),
  queue_unavailable: server(503, true),
  generation_timeout: server(503, true),
  worker_lost: server(503, true),
  service_unavailable: server(503, true),
  internal_error: server(500, true),
} satisfies Record<string, ErrorKind>);

export type ErrorCode = keyof typeof errorKinds;

export interface ErrorDetails {
  /** Path of the field that is wrong, e.g. `body.max_tokens`. */
  readonly param?: string | null;
  /** The bound that the call would pass: refusals are counted by it. */
  readonly bound?: BoundName | null;
  readonly cause?: unknown;
}

export class EyrieError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly bound: BoundName | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'EyrieError';
    this.code = code;
    this.param = details.param ?? null;
    this.bound = details.bound ?? null;
  }
}

export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorKinds, code);

/** The error's code if it is one of ours (also across copies of this module), else `internal_error`. */
export function errorCode(error: unknown): ErrorCode {
  const code = (error as { code?: unknown } | null)?.code;
  return isErrorCode(code) ? code : 'internal_error';
}

/**
 * Codes that tell of what surrounds the work, not of the work itself: the store, the queue or the worker was away. Whatever failed
 * with one of them is tried again until its batch's completion window ends.
 */
const surroundings: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'store_unavailable',
  'queue_unavailable',
  'disk_full',
  'engine_closed',
  'service_unavailable',
]);

/** Whether the work failed for a reason of its own: after a few attempts, another one is no better. */
export const failsByItself = (code: ErrorCode): boolean => !surroundings.has(code);

export const isRetryable = (error: unknown): boolean => errorKinds[errorCode(error)].retryable;
