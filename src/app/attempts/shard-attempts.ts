import { attemptNote, type AttemptNote } from '../../contract/stored-objects.js';
import type { ShardJob } from '../../contract/queue-payload.js';
import { errorCode, type ErrorCode, isErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { rangeName, type LineRange, type RangeNotes } from '../../domain/suspect-ranges.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { createJson, getJson, putJson } from '../stored-json.js';
import type { World } from '../world.js';

/** All keys under a prefix. What is listed here is bounded by how often a batch may fail. */
export async function listKeys(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  let after: string | null = null;
  do {
    const page = await store.list(prefix, after === null ? {} : { after });
    for (const { key } of page.objects) found.push(key);
    after = page.next;
  } while (after !== null);
  return found;
}

export interface AttemptsOfShard {
  /** Whether anything was ever noted: the shard is a suspect. */
  readonly any: boolean;
  readonly ranges: ReadonlyMap<string, RangeNotes>;
  /** Failed attempts at any of its ranges. */
  readonly failures: number;
}

/** What was noted of a shard so far. */
export async function readAttempts(store: ObjectStore, { tenant, batchId, shard }: ShardJob): Promise<AttemptsOfShard> {
  const prefix = keys.shardAttempts(tenant, batchId, shard);
  const found = await listKeys(store, prefix);
  const ranges = new Map<string, RangeNotes>();
  let failures = 0;
  for (const key of found) {
    const [range = '', name] = key.slice(prefix.length).split('/');
    if (range === 'lost') continue;
    const before = ranges.get(range) ?? { failures: 0, done: false };
    const isPart = name === 'part.jsonl';
    if (!isPart) failures++;
    ranges.set(range, { failures: before.failures + (isPart ? 0 : 1), done: before.done || isPart });
  }
  return { any: found.length > 0, ranges, failures };
}

/** Failed attempts at the ranges of all shards of a batch. */
export async function failuresOfBatch(store: ObjectStore, tenant: string, batchId: string): Promise<number> {
  const found = await listKeys(store, keys.attempts(tenant, batchId));
  return found.filter((key) => /\/\d{6}-\d{6}\/\d+\.json$/.test(key)).length;
}

/**
 * The queue gave the shard back because the worker that held it fell silent. Noted once, so that it is logged and counted once,
 * whatever becomes of the queue.
 */
export async function noteLoss(world: World, job: ShardJob, losses: number, workerId: string): Promise<void> {
  const { tenant, batchId, shard } = job;
  const note: AttemptNote = { v: 1, ms: world.clock.now(), worker: workerId, code: null };
  const { created } = await createJson(world.store, keys.shardLoss(tenant, batchId, shard, losses), note);
  if (created) world.log.warn('shard.worker_lost', { tenant, batchId, shard, losses });
}

/** An attempt at a range, noted before it begins: should the worker die of it, the note stays and tells so. */
export class RangeAttempt {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #note: AttemptNote;
  #stays = false;

  private constructor(store: ObjectStore, key: string, note: AttemptNote) {
    this.#store = store;
    this.#key = key;
    this.#note = note;
  }

  static async begin(
    world: World,
    { tenant, batchId, shard }: ShardJob,
    range: LineRange,
    earlier: number,
    workerId: string,
  ): Promise<RangeAttempt> {
    const note: AttemptNote = { v: 1, ms: world.clock.now(), worker: workerId, code: null };
    const key = keys.rangeAttempt(tenant, batchId, shard, rangeName(range), earlier + 1);
    await createJson(world.store, key, note);
    return new RangeAttempt(world.store, key, note);
  }

  /** It failed for a reason of its own: the note stays. */
  async failed(error: unknown): Promise<void> {
    this.#stays = true;
    await putJson(this.#store, this.#key, { ...this.#note, code: errorCode(error) } satisfies AttemptNote);
  }

  /** It has ended. Unless it failed, it counts for nothing; should the note outlive it, the range is only divided sooner. */
  async end(): Promise<void> {
    if (!this.#stays) await this.#store.delete(this.#key).catch(() => undefined);
  }
}

/** Why the last attempt at a range failed: `worker_crashed` when its worker never said. */
export async function lastFailure(
  store: ObjectStore,
  { tenant, batchId, shard }: ShardJob,
  range: LineRange,
  failures: number,
): Promise<ErrorCode> {
  const note = await getJson(store, keys.rangeAttempt(tenant, batchId, shard, rangeName(range), failures), attemptNote);
  return isErrorCode(note?.code) ? note.code : 'worker_crashed';
}

/** Removes the results of ranges once the shard's part holds them. The notes of failures stay: they tell what it took. */
export async function forgetRangeParts(store: ObjectStore, { tenant, batchId, shard }: ShardJob): Promise<void> {
  const found = await listKeys(store, keys.shardAttempts(tenant, batchId, shard));
  await store.deleteMany(found.filter((key) => key.endsWith('/part.jsonl')));
}
