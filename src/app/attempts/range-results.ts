import type { ShardJob } from '../../contract/queue-payload.js';
import { errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { rangeName, rangesToDo, type LineRange } from '../../domain/suspect-ranges.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { decodePart, recordsOf } from '../part.js';
import type { Records } from '../shard-work.js';
import { readAttempts } from './shard-attempts.js';

/** The results of a range that was carried out before. null: they are damaged or gone. */
export async function readRange(
  store: ObjectStore,
  { tenant, batchId, shard }: ShardJob,
  range: LineRange,
): Promise<Records | null> {
  const part = await store.get(keys.rangePart(tenant, batchId, shard, rangeName(range)));
  try {
    return part && recordsOf(decodePart(part.bytes));
  } catch (error) {
    if (errorCode(error) === 'service_unavailable') throw error;
    return null;
  }
}

/** What the ranges of a shard have given so far, by index within the shard: what is kept when the shard is given up. */
export async function rangeResults(
  store: ObjectStore,
  job: ShardJob,
  lines: number,
): Promise<{ readonly records: Records; readonly any: boolean }> {
  const records: Records = Array.from({ length: lines }, () => null);
  const { any, ranges } = await readAttempts(store, job);
  if (!any) return { records, any };
  const { done } = rangesToDo(lines, ranges, false);
  for (const range of done)
    for (const [at, record] of ((await readRange(store, job, range)) ?? []).entries())
      records[range.first + at] = record;
  return { records, any };
}
