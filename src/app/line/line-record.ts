import { errorKinds, type ErrorCode } from '../../domain/errors.js';

/** A line of an output or error file, ready to be written. */
export interface LineRecord {
  /** true: output file; false: error file. */
  readonly ok: boolean;
  /** One JSON object, without the line end. */
  readonly json: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Set when the line was never carried out: the code of its error. */
  readonly givenUp?: ErrorCode;
}

/** What makes the ids of a line's record. */
export interface LineIds {
  next(kind: 'line' | 'request'): string;
}

interface ErrorShape {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param: string | null;
}

interface RecordIds {
  readonly id: string;
  readonly requestId: string;
}

export const successIds = (ids: LineIds): RecordIds => ({ id: ids.next('line'), requestId: ids.next('request') });

/** Status 200: the line ran. `body` is JSON. */
export function successRecord(
  { id, requestId }: RecordIds,
  customId: string,
  body: string,
  inputTokens: number,
  outputTokens: number,
): LineRecord {
  const head = JSON.stringify({ id, custom_id: customId, response: { status_code: 200, request_id: requestId } });
  return { ok: true, json: `${head.slice(0, -2)},"body":${body}},"error":null}`, inputTokens, outputTokens };
}

/** The line was tried and refused: an HTTP status other than 200, with the error in the body. */
export function failureRecord(ids: LineIds, customId: string | null, error: ErrorShape): LineRecord {
  const { status, type } = errorKinds[error.code];
  const body = { error: { message: error.message, type, param: error.param, code: error.code } };
  const json = JSON.stringify({
    id: ids.next('line'),
    custom_id: customId,
    response: { status_code: status, request_id: ids.next('request'), body },
    error: null,
  });
  return { ok: false, json, inputTokens: 0, outputTokens: 0 };
}

/** The line was never carried out. */
export function unexecutedRecord(ids: LineIds, customId: string | null, code: ErrorCode, message: string): LineRecord {
  const json = JSON.stringify({ id: ids.next('line'), custom_id: customId, response: null, error: { code, message } });
  return { ok: false, json, inputTokens: 0, outputTokens: 0, givenUp: code };
}
