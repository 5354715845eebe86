import type { AttemptNote } from '../../contract/stored-objects.js';
import type { ShardJob } from '../../contract/queue-payload.js';
import { errorCode, isErrorCode, type ErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { rangeName, type LineRange, type RangeNotes } from '../../domain/suspect-ranges.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';
import { createJson, putJson } from '../stored-json.js';
import type { World } from '../world.js';

/** What was noted of a range, with the code of its newest failure. */
export interface AttemptedRange extends RangeNotes {
  readonly code: ErrorCode;
}

export interface AttemptsOfShard {
  /** Whether anything was ever noted: the shard is a suspect. */
  readonly any: boolean;
  readonly ranges: ReadonlyMap<string, AttemptedRange>;
  /** Failed attempts at any of its ranges. */
  readonly failures: number;
}

/** What was noted of a shard so far. All of it stands in the names of the notes. */
export async function readAttempts(store: ObjectStore, { tenant, batchId, shard }: ShardJob): Promise<AttemptsOfShard> {
  const prefix = keys.shardAttempts(tenant, batchId, shard);
  const ranges = new Map<string, AttemptedRange>();
  let any = false;
  let failures = 0;
  for await (const { key } of listAll(store, prefix)) {
    any = true;
    const [range = '', name = ''] = key.slice(prefix.length).split('/');
    if (range === 'lost') continue;
    const before = ranges.get(range) ?? { failures: 0, done: false, code: 'worker_crashed' };
    if (name === 'part.jsonl') {
      ranges.set(range, { ...before, done: true });
      continue;
    }
    failures++;
    // `01.json` began and was never heard of again; `01.{code}.json` says why it failed.
    const [, code] = name.split('.');
    ranges.set(range, {
      ...before,
      failures: before.failures + 1,
      code: isErrorCode(code) ? code : 'worker_crashed',
    });
  }
  return { any, ranges, failures };
}

/**
 * The queue gave the shard back because the worker that held it fell silent. Noted once, so that it is logged and counted once,
 * whatever becomes of the queue.
 */
export async function noteLoss(world: World, job: ShardJob, losses: number, workerId: string): Promise<void> {
  const { tenant, batchId, shard } = job;
  const note: AttemptNote = { v: 1, ms: world.clock.now(), worker: workerId };
  const { created } = await createJson(world.store, keys.shardLoss(tenant, batchId, shard, losses), note);
  if (created) world.log.warn('shard.worker_lost', { tenant, batchId, shard, losses });
}

/** An attempt at a range, noted before it begins: should the worker die of it, the note stays and tells so. */
export class RangeAttempt {
  readonly #store: ObjectStore;
  readonly #keyOf: (code: ErrorCode | null) => string;
  readonly #note: AttemptNote;

  private constructor(store: ObjectStore, keyOf: (code: ErrorCode | null) => string, note: AttemptNote) {
    this.#store = store;
    this.#keyOf = keyOf;
    this.#note = note;
  }

  /** `earlier`: failures of the range that were noted before. */
  static async begin(
    world: World,
    { tenant, batchId, shard }: ShardJob,
    range: LineRange,
    earlier: number,
    workerId: string,
  ): Promise<RangeAttempt> {
    const note: AttemptNote = { v: 1, ms: world.clock.now(), worker: workerId };
    const keyOf = (code: ErrorCode | null): string =>
      keys.rangeAttempt(tenant, batchId, shard, rangeName(range), earlier + 1, code);
    await createJson(world.store, keyOf(null), note);
    return new RangeAttempt(world.store, keyOf, note);
  }

  /** It failed for a reason of its own, and that stays noted. */
  async failed(error: unknown): Promise<void> {
    await putJson(this.#store, this.#keyOf(errorCode(error)), this.#note);
  }

  /** It has ended, one way or the other: the worker lives. Should the note outlive it, the range is only divided sooner. */
  async end(): Promise<void> {
    await this.#store.delete(this.#keyOf(null)).catch(() => undefined);
  }
}

/** Removes the results of ranges once the shard's part holds them. The notes of failures stay: they tell what it took. */
export async function forgetRangeParts(store: ObjectStore, { tenant, batchId, shard }: ShardJob): Promise<void> {
  const parts: string[] = [];
  for await (const { key } of listAll(store, keys.shardAttempts(tenant, batchId, shard)))
    if (key.endsWith('/part.jsonl')) parts.push(key);
  await store.deleteMany(parts);
}
