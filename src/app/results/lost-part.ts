import type { PlannedShard, SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { derivedId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { noWaste, unexecuted, withoutResult } from '../give-up-shard.js';
import { decodePart, encodePart, type DecodedPart } from '../part.js';
import { readShard } from '../read-shard.js';
import type { World } from '../world.js';

export type PartReader = Pick<World, 'store' | 'clock' | 'model' | 'idSecret'>;

/** Shards that could neither be run nor given up until long after the window: the batch ends without their parts. */
export const isOverdue = ({ clock }: Pick<World, 'clock'>, { expiresMs }: SubmitObject): boolean =>
  clock.now() >= expiresMs + bounds.finishLateMs;

const reasons = {
  internal_error: {
    code: 'internal_error',
    message: 'The stored result of this request cannot be read any more. Run it again with retry_failed.',
  },
  batch_expired: unexecuted.expired,
} as const;

/** The lines as they were accepted; nulls when the input is gone. */
async function inputLines(
  { store }: PartReader,
  submit: SubmitObject,
  shard: PlannedShard,
): Promise<readonly (Uint8Array | null)[] | null> {
  try {
    return await readShard(store, submit, shard);
  } catch (error) {
    if (errorCode(error) !== 'input_changed') throw error;
    return null;
  }
}

/**
 * What stands in for a part that is damaged, or could never be written: an error for each line. Made from what is stored alone, so
 * that everybody who reads the shard sees the same bytes.
 */
export async function lostPart(
  world: PartReader,
  submit: SubmitObject,
  plan: WorkPlan,
  shard: PlannedShard,
  code: 'internal_error' | 'batch_expired',
): Promise<DecodedPart> {
  const lines = await inputLines(world, submit, shard);
  const records = Array.from({ length: shard.count }, (_, at) => {
    const index = shard.firstLine + at;
    const ids = {
      next: (kind: 'line' | 'request') => derivedId(kind, world.idSecret, submit.batchId, 'lost', String(index)),
    };
    const line = lines === null ? undefined : (lines[at] ?? null);
    return withoutResult({ ids, model: world.model }, plan, shard, at, line, reasons[code]);
  });
  const verdict = code === 'batch_expired' ? 'expired' : 'failed';
  const times = { startedMs: plan.plannedMs, finishedMs: plan.plannedMs };
  const { bytes } = encodePart({ shard: shard.n, verdict, shapes: noWaste, worker: 'control', ...times }, records);
  return decodePart(bytes);
}

/** What a shard has become; null: nothing so far. Errors stand in for a part that is damaged, or that will never come. */
export async function readPart(
  world: PartReader,
  submit: SubmitObject,
  plan: WorkPlan,
  shard: PlannedShard,
): Promise<DecodedPart | null> {
  const stored = await world.store.get(keys.part(submit.tenant, submit.batchId, shard.n));
  if (!stored) return isOverdue(world, submit) ? lostPart(world, submit, plan, shard, 'batch_expired') : null;
  try {
    const part = decodePart(stored.bytes);
    if (part.header.count === shard.count && part.lines.length === shard.count) return part;
  } catch (error) {
    // Written by a later version: whoever knows it may read it.
    if (errorCode(error) === 'service_unavailable') throw error;
  }
  return lostPart(world, submit, plan, shard, 'internal_error');
}
