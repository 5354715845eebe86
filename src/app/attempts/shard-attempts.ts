import type { AttemptNote } from '../../contract/stored-objects.js';
import type { ShardJob } from '../../contract/queue-payload.js';
import { errorCode, isErrorCode, type ErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { rangeName, type LineRange, type RangeNotes } from '../../domain/suspect-ranges.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';
import { createJson, putJson } from '../stored-json.js';
import type { World } from '../world.js';

/** A note is removed with so many tries, this long apart: the store may be away for a moment. */
const deletesMax = 3;
const deletePauseMs = 2000;

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
  const attempts = new Set<string>();
  let any = false;
  for await (const { key } of listAll(store, prefix)) {
    any = true;
    const [range = '', name = ''] = key.slice(prefix.length).split('/');
    if (range === 'lost') continue;
    const before = ranges.get(range) ?? { failures: 0, done: false, code: 'worker_crashed' };
    if (name === 'part.jsonl') {
      ranges.set(range, { ...before, done: true });
      continue;
    }
    // `{attempt}.json` began and was never heard of again; `{attempt}.{code}.json` says why it failed. Both may be there.
    const [attempt = '', code] = name.split('.');
    const isNew = !attempts.has(`${range}/${attempt}`);
    attempts.add(`${range}/${attempt}`);
    ranges.set(range, {
      ...before,
      failures: before.failures + (isNew ? 1 : 0),
      code: isErrorCode(code) ? code : before.code,
    });
  }
  return { any, ranges, failures: attempts.size };
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
  readonly #world: Pick<World, 'store' | 'clock' | 'log'>;
  readonly #keyOf: (code: ErrorCode | null) => string;
  readonly #note: AttemptNote;

  private constructor(world: World, keyOf: (code: ErrorCode | null) => string, note: AttemptNote) {
    this.#world = world;
    this.#keyOf = keyOf;
    this.#note = note;
  }

  static async begin(
    world: World,
    { tenant, batchId, shard }: ShardJob,
    range: LineRange,
    workerId: string,
  ): Promise<RangeAttempt> {
    const note: AttemptNote = { v: 1, ms: world.clock.now(), worker: workerId };
    // An id of its own: two workers at one range must not share a note, or the one that lives takes it from the one that died.
    const attempt = world.ids.next('request');
    const keyOf = (code: ErrorCode | null): string =>
      keys.rangeAttempt(tenant, batchId, shard, rangeName(range), attempt, code);
    await createJson(world.store, keyOf(null), note);
    return new RangeAttempt(world, keyOf, note);
  }

  /** It failed for a reason of its own, and that stays noted. */
  async failed(error: unknown): Promise<void> {
    await putJson(this.#world.store, this.#keyOf(errorCode(error)), this.#note);
  }

  /** It has ended, one way or the other: the worker lives, so the note of its beginning goes. Never throws. */
  async end(): Promise<void> {
    const { store, clock, log } = this.#world;
    for (let attempt = 1; ; attempt++)
      try {
        await store.delete(this.#keyOf(null));
        return;
      } catch (error) {
        // A note that stays counts as a failure of the range.
        if (attempt === deletesMax) return log.warn('shard.note_left_behind', { code: errorCode(error) });
        await clock.sleep(deletePauseMs);
      }
  }
}

/** Removes the results of ranges once the shard's part holds them. The notes of failures stay: they tell what it took. */
export async function forgetRangeParts(store: ObjectStore, { tenant, batchId, shard }: ShardJob): Promise<void> {
  const parts: string[] = [];
  for await (const { key } of listAll(store, keys.shardAttempts(tenant, batchId, shard)))
    if (key.endsWith('/part.jsonl')) parts.push(key);
  await store.deleteMany(parts);
}
