import type { ShardJob } from '../contract/queue-payload.js';
import type { PartHeader, PlannedShard, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import type { Verdict } from '../domain/batch-state.js';
import { errorCode, type ErrorCode, type EyrieError } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import { rangeResults } from './attempts/range-results.js';
import { forgetRangeParts } from './attempts/shard-attempts.js';
import { mapInTurns } from './breather.js';
import { failureRecord, unexecutedRecord, type LineIds, type LineRecord } from './line/line-record.js';
import { LineRejection, readLine } from './line/read-line.js';
import { duplicateCustomId } from './line/run-line.js';
import { encodePartInTurns } from './part.js';
import { readShard } from './read-shard.js';
import type { World } from './world.js';

/** Why lines are not executed. */
export interface Reason {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What an unexecuted line says, by the verdict on its shard. */
export const unexecuted: Readonly<Record<Verdict, Reason>> = {
  cancelled: { code: 'batch_cancelled', message: 'This request was not executed: the batch was cancelled.' },
  expired: {
    code: 'batch_expired',
    message: 'This request could not be executed before the completion window expired.',
  },
  failed: { code: 'batch_failed', message: 'This request was not executed: the batch failed.' },
};

export const noWaste = Object.freeze({
  useful_tokens: 0,
  padded_prefill_tokens: 0,
  idle_slot_steps: 0,
  overrun_tokens: 0,
});

type Refusal = Pick<EyrieError, 'message' | 'param'> & { readonly code: unknown };

interface LineMaker {
  readonly ids: LineIds;
  readonly model: World['model'];
}

/**
 * The record of a line that validation found to be no request (lenient batches); null: it is one, or its bytes are gone. One in
 * which nothing is wrong by itself has the custom_id of an earlier line.
 */
export function rejectedRecord(
  { ids, model }: LineMaker,
  plan: WorkPlan,
  shard: PlannedShard,
  at: number,
  line: Uint8Array | null | undefined,
): LineRecord | null {
  const index = shard.firstLine + at;
  const refusal = (number: number | null, error: Refusal, customId: string | null): LineRecord => {
    const message = `Line ${number}: ${error.message}`;
    return failureRecord(ids, customId, { code: errorCode(error), message, param: error.param });
  };
  const told = shard.rejected.find((one) => one.index === index);
  if (told) return refusal(told.line, told, told.customId);
  const number = shard.noRequests.find(([noRequest]) => noRequest === index)?.[1];
  if (number === undefined || line === undefined) return null;
  try {
    const { customId } = readLine(line, plan.endpoint, model);
    return refusal(number, duplicateCustomId(customId), customId);
  } catch (error) {
    if (!(error instanceof LineRejection)) throw error;
    return refusal(number, error, error.customId);
  }
}

/** The record of a line without a result: its own error when it is no request, else the one given. `line`: undefined when the input is gone. */
export function withoutResult(
  maker: LineMaker,
  plan: WorkPlan,
  shard: PlannedShard,
  at: number,
  line: Uint8Array | null | undefined,
  { code, message }: Reason,
): LineRecord {
  const rejected = rejectedRecord(maker, plan, shard, at, line);
  if (rejected) return rejected;
  const customId = line === undefined ? null : readLine(line, plan.endpoint, maker.model).customId;
  return unexecutedRecord(maker.ids, customId, code, message);
}

/** The record of a line that is not executed: by the verdict on its shard, or for a reason of the line's own. */
export const givenUpRecord = (
  maker: LineMaker,
  plan: WorkPlan,
  shard: PlannedShard,
  at: number,
  line: Uint8Array | null,
  why: Verdict | Reason,
): LineRecord => withoutResult(maker, plan, shard, at, line, typeof why === 'string' ? unexecuted[why] : why);

/** Says once, when the shard is decided, which of its lines were never carried out, and why. */
export function logGivenUp({ log }: Pick<World, 'log'>, shard: ShardJob, { givenUp }: PartHeader): void {
  for (const [code, lines] of Object.entries(givenUp)) log.warn('lines.given_up', { ...shard, code, lines });
}

/**
 * Decides a shard without running it: each line that has no result so far gets its error. Safe beside a worker that still runs it:
 * the first part written counts. Returns whether this one did. With a `Reason` in place of a verdict the batch goes on to its usual
 * end, with lines that failed.
 */
export async function giveUpShard(
  world: World,
  submit: SubmitObject,
  plan: WorkPlan,
  shard: PlannedShard,
  why: Verdict | Reason,
): Promise<boolean> {
  let verdict = typeof why === 'string' ? why : null;
  let records: LineRecord[];
  const job = { tenant: submit.tenant, batchId: submit.batchId, shard: shard.n };
  // A suspect may have results of some of its lines.
  const kept = await rangeResults(world.store, job, shard.count);
  try {
    const lines = await readShard(world.store, submit, shard);
    records = await mapInTurns(
      world.clock,
      lines,
      (line, at) => kept.records[at] ?? givenUpRecord(world, plan, shard, at, line, why),
    );
  } catch (error) {
    if (errorCode(error) !== 'input_changed') throw error;
    // The lines are gone, and their custom_ids with them: each still gets its line.
    verdict = 'failed';
    const message = (error as EyrieError).message;
    records = kept.records.map((record) => record ?? unexecutedRecord(world.ids, null, 'input_changed', message));
  }
  const nowMs = world.clock.now();
  const { header, bytes } = await encodePartInTurns(
    world.clock,
    { shard: shard.n, verdict, shapes: noWaste, worker: 'control', startedMs: nowMs, finishedMs: nowMs },
    records,
  );
  const { created } = await world.store.create(keys.part(submit.tenant, submit.batchId, shard.n), bytes);
  if (created) {
    logGivenUp(world, job, header);
    if (kept.any) await forgetRangeParts(world.store, job).catch(() => undefined);
    await world.progress.record(submit.batchId, shard.n, header);
  }
  return created;
}
