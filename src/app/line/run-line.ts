import { EyrieError, errorCode, type ErrorCode } from '../../domain/errors.js';
import type { Endpoint } from '../../domain/served-model.js';
import type { Clock } from '../../ports/clock.js';
import type { Engine } from '../../ports/engine.js';
import type { Ids } from '../../ports/ids.js';
import { Breather } from '../breather.js';
import { checkAnswerBytes } from './answer-size.js';
import { failureRecord, successIds, successRecord, type LineRecord } from './line-record.js';
import { toLineRequest, type LineRequest, type LineRules } from './line-request.js';
import { LineRejection, readLine, type LineEnvelope } from './read-line.js';
import { usageOf } from './response-body.js';
import { inTurns, joined, responseJson } from './response-json.js';
import { runSequences } from './run-sequences.js';

export interface LineRunner extends LineRules {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Offline: the custom_ids seen so far, so that a repeated one is refused. A planned batch was checked as a whole before. */
  readonly customIds?: Set<string>;
}

/** Errors that are the line's own; any other ends the whole attempt, so that the shard is tried again. */
const lineErrors: ReadonlySet<ErrorCode> = new Set(['invalid_request', 'numeric_error']);

const belongsToLine = (error: unknown): error is EyrieError =>
  error instanceof LineRejection ||
  (error instanceof EyrieError &&
    (lineErrors.has(error.code) || error.code === 'context_length_exceeded' || error.param !== null));

export const duplicateCustomId = (customId: string): LineRejection =>
  new LineRejection(
    'duplicate_custom_id',
    'The custom_id of this line was used by an earlier line; each must be unique.',
    'custom_id',
    customId,
  );

/** Throws `LineRejection` for a custom_id that an earlier line of the file has. */
export function claimCustomId(customId: string, seen: Set<string>): void {
  if (seen.has(customId)) throw duplicateCustomId(customId);
  seen.add(customId);
}

/** The pieces of an answer, as long as it is not too large after all: what is estimated are means. */
async function* bounded(pieces: AsyncIterable<string>, line: LineRequest): AsyncGenerator<string> {
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += Buffer.byteLength(piece);
    checkAnswerBytes(bytes, line, 'line', 'has more than');
    yield piece;
  }
}

async function runRequest(runner: LineRunner, envelope: LineEnvelope, signal: AbortSignal): Promise<LineRecord> {
  const line = await toLineRequest(envelope, runner);
  const results = await runSequences(line, runner.engine, signal);
  const frame = {
    id: runner.ids.next(line.format),
    created: Math.floor(runner.clock.now() / 1000),
    model: runner.model.id,
    fingerprint: runner.engine.fingerprint,
  };
  const recordIds = successIds(runner.ids);
  const pieces = responseJson(frame, line, results, runner.tokenizer);
  const body = await joined(bounded(inTurns(new Breather(runner.clock), pieces), line));
  const { promptTokens, completionTokens } = usageOf(line, results);
  return successRecord(recordIds, envelope.customId, body, promptTokens, completionTokens);
}

/**
 * Carries out one line of a batch file, from its bytes to the line of the result file. A line that is wrong, or that the engine
 * cannot compute, gives an error record; a failure of the engine as a whole, and an abort, are thrown.
 */
export async function runLine(
  runner: LineRunner,
  bytes: Uint8Array | null,
  endpoint: Endpoint | null,
  signal: AbortSignal,
): Promise<LineRecord> {
  let customId: string | null = null;
  try {
    const envelope = readLine(bytes, endpoint, runner.model);
    customId = envelope.customId;
    if (runner.customIds) claimCustomId(customId, runner.customIds);
    return await runRequest(runner, envelope, signal);
  } catch (error) {
    if (signal.aborted || !belongsToLine(error)) throw error;
    if (error instanceof LineRejection) customId = error.customId;
    return failureRecord(runner.ids, customId, { code: errorCode(error), message: error.message, param: error.param });
  }
}
