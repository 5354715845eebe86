import type { z } from 'zod';
import {
  cancelObject,
  manifestObject,
  partHeader,
  submitObject,
  type CancelObject,
  type ManifestObject,
  type PartHeader,
  type PlanHead,
  type PlanObject,
  type SubmitObject,
  type WorkHead,
} from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError, errorCode } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import { keys, shardOfPartKey } from '../domain/object-keys.js';
import type { Clock } from '../ports/clock.js';
import type { ObjectInfo, ObjectStore } from '../ports/object-store.js';
import type { ShardProgress } from '../ports/progress-board.js';
import { KeptValues } from './kept-values.js';
import { getJson, getSizedJson, parseStored } from './stored-json.js';
import { findSizedHead, findSizedPlan } from './stored-plan.js';

/** Where a batch is found by users: in the tenant's list, and in that of the batch it retries. Repeating it changes nothing. */
export async function putInLists(store: ObjectStore, submit: SubmitObject): Promise<void> {
  const { tenant, batchId, createdMs, retryOf } = submit;
  await store.put(keys.batchIndexEntry(tenant, createdMs, batchId), Buffer.of());
  if (retryOf) await store.put(keys.child(tenant, retryOf.batchId, createdMs, batchId), Buffer.of());
}

/** The same for a batch that mostly is listed already: the last entry of `putInLists` tells. */
export async function repairLists(store: ObjectStore, submit: SubmitObject): Promise<void> {
  const { tenant, batchId, createdMs, retryOf } = submit;
  const last = retryOf
    ? keys.child(tenant, retryOf.batchId, createdMs, batchId)
    : keys.batchIndexEntry(tenant, createdMs, batchId);
  if (!(await store.head(last))) await putInLists(store, submit);
}

export async function takeFromLists(
  store: ObjectStore,
  submit: Pick<SubmitObject, 'tenant' | 'batchId' | 'createdMs' | 'retryOf'>,
): Promise<void> {
  const { tenant, batchId, createdMs, retryOf } = submit;
  const entry = keys.batchIndexEntry(tenant, createdMs, batchId);
  await store.deleteMany(retryOf ? [entry, keys.child(tenant, retryOf.batchId, createdMs, batchId)] : [entry]);
}

export const noSuchBatch = (batchId: string): EyrieError =>
  new EyrieError('not_found', `No batch found with id '${batchId.slice(0, 80)}'.`);

/** For jobs: a batch that was deleted still has its record until its end was told. */
export async function loadSubmit(store: ObjectStore, tenant: string, batchId: string): Promise<SubmitObject> {
  const submit = isId('batch', batchId) ? await getJson(store, keys.submit(tenant, batchId), submitObject) : null;
  if (!submit) throw noSuchBatch(batchId);
  return submit;
}

export const isDeleted = async (store: ObjectStore, tenant: string, batchId: string): Promise<boolean> =>
  (await store.head(keys.batchDeleted(tenant, batchId))) !== null;

/**
 * For users: throws `not_found` for an unknown, a foreign and a deleted batch, with the same words. The tombstone is looked for each
 * time: what is remembered of a batch does not tell that it was deleted since.
 */
export async function loadShownSubmit(
  { store, records }: { readonly store: ObjectStore; readonly records: BatchRecords },
  tenant: string,
  batchId: string,
): Promise<SubmitObject> {
  if (!isId('batch', batchId)) throw noSuchBatch(batchId);
  const [submit, deleted] = await Promise.all([records.submit(tenant, batchId), isDeleted(store, tenant, batchId)]);
  if (!submit || deleted) throw noSuchBatch(batchId);
  return submit;
}

/** A record that is `instead` of itself when it is damaged: a batch whose record nobody can read must end all the same. */
async function getOr<T>(
  store: ObjectStore,
  key: string,
  schema: z.ZodType<T>,
  instead: (info: ObjectInfo) => T,
): Promise<T | null> {
  const object = await store.get(key);
  if (!object) return null;
  try {
    return parseStored(object.bytes, schema);
  } catch (error) {
    // Written by a later version: whoever knows it may read it.
    if (errorCode(error) === 'service_unavailable') throw error;
    return instead(object.info);
  }
}

/** A damaged cancel.json says all the same that somebody asked. */
const findCancel = (store: ObjectStore, key: string): Promise<CancelObject | null> =>
  getOr(store, key, cancelObject, ({ modifiedMs }) => ({ v: 1, requestedMs: modifiedMs }));

export const findManifest = (store: ObjectStore, tenant: string, batchId: string): Promise<ManifestObject | null> =>
  getJson(store, keys.manifest(tenant, batchId), manifestObject);

/** When the cancel was asked for, Unix ms; null when it was not. */
export async function cancelRequestedMs(store: ObjectStore, tenant: string, batchId: string): Promise<number | null> {
  return (await findCancel(store, keys.cancel(tenant, batchId)))?.requestedMs ?? null;
}

/** Numbers of the decided shards, with the time each part was written. */
export async function decidedShards(store: ObjectStore, tenant: string, batchId: string): Promise<Map<number, number>> {
  const parts = await decidedParts(store, tenant, batchId);
  return new Map(Array.from(parts, ([shard, { modifiedMs }]) => [shard, modifiedMs]));
}

/** The parts of a batch, by shard. */
export async function decidedParts(
  store: ObjectStore,
  tenant: string,
  batchId: string,
): Promise<Map<number, ObjectInfo>> {
  const parts = new Map<number, ObjectInfo>();
  let after: string | null = null;
  do {
    const page = await store.list(keys.parts(tenant, batchId), after === null ? {} : { after });
    for (const info of page.objects) {
      const shard = shardOfPartKey(info.key);
      if (shard !== null) parts.set(shard, info);
    }
    after = page.next;
  } while (after !== null);
  return parts;
}

/** When the last shard was decided, Unix ms by the store's clock: from then on the batch is being finished. */
export const lastDecidedMs = (plan: Pick<WorkHead, 'plannedMs'>, decided: ReadonlyMap<number, number>): number =>
  Array.from(decided.values()).reduce((last, ms) => Math.max(last, ms), plan.plannedMs);

/** A header line fits in this many bytes by far. */
const headerBytesMax = 4096;

/** The first line of a part, without reading the rest. null: there is no part, or nothing can be told of it. */
export async function loadPartHeader(
  store: ObjectStore,
  tenant: string,
  batchId: string,
  shard: number,
): Promise<PartHeader | null> {
  const part = await store.get(keys.part(tenant, batchId, shard), { range: { start: 0, end: headerBytesMax } });
  if (!part) return null;
  try {
    return parseStored(part.bytes.subarray(0, part.bytes.indexOf(0x0a)), partHeader);
  } catch {
    // The finish says what comes of it.
    return null;
  }
}

interface Sized<T> {
  readonly value: T;
  /** In which it is stored. */
  readonly bytes: number;
}

/** What a record takes in memory: its names and the object itself, and about so many bytes for each that is stored. */
const recordBytes = 500;
const storedBytesWeigh = 2;

async function small<T>(read: Promise<T | null>): Promise<Sized<T> | null> {
  const value = await read;
  return value === null ? null : { value, bytes: 0 };
}

const headName = (tenant: string, batchId: string): string => `${keys.plan(tenant, batchId)}#head`;

/**
 * The records of batches that are created once and never change, remembered once they were found; what is absent is looked for
 * each time. A batch may have been deleted since its records were found: who shows a batch asks for its tombstone
 * (`loadShownSubmit`), and who writes for it looks at submit.json itself.
 */
export class BatchRecords {
  readonly #store: ObjectStore;
  readonly #clock: Pick<Clock, 'monotonic' | 'turn'>;
  readonly #kept: KeptValues;
  readonly #reading = new Map<string, Promise<object | null>>();

  constructor(
    store: ObjectStore,
    clock: Pick<Clock, 'monotonic' | 'turn'>,
    countMax = bounds.recordsKeptMax,
    bytesMax = bounds.recordsKeptBytesMax,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#kept = new KeptValues(countMax, bytesMax);
  }

  submit(tenant: string, batchId: string): Promise<SubmitObject | null> {
    const key = keys.submit(tenant, batchId);
    return this.#find(tenant, key, () => getSizedJson(this.#store, key, submitObject));
  }

  /** The plan with its shards, for those who do its work or read its results. */
  plan(tenant: string, batchId: string): Promise<PlanObject | null> {
    const reader = { store: this.#store, clock: this.#clock };
    return this.#find(tenant, keys.plan(tenant, batchId), () => findSizedPlan(reader, tenant, batchId));
  }

  /** All that views and counts ask of a plan. */
  planHead(tenant: string, batchId: string): Promise<PlanHead | null> {
    const reader = { store: this.#store, clock: this.#clock };
    return this.#find(tenant, headName(tenant, batchId), () => findSizedHead(reader, tenant, batchId));
  }

  manifest(tenant: string, batchId: string): Promise<ManifestObject | null> {
    const key = keys.manifest(tenant, batchId);
    return this.#find(tenant, key, () => getSizedJson(this.#store, key, manifestObject));
  }

  /** When the cancel was asked for, Unix ms; null when it was not. */
  async cancelMs(tenant: string, batchId: string): Promise<number | null> {
    const key = keys.cancel(tenant, batchId);
    return (await this.#find(tenant, key, () => small(findCancel(this.#store, key))))?.requestedMs ?? null;
  }

  /** The same of a batch whose manifest was found. A cancel that was not asked for by then changes nothing, and is not looked for again. */
  async cancelMsOfEnded(tenant: string, batchId: string): Promise<number | null> {
    const key = keys.cancel(tenant, batchId);
    const read = async (): Promise<{ requestedMs: number | null }> =>
      (await findCancel(this.#store, key)) ?? { requestedMs: null };
    return (await this.#find(tenant, key, () => small(read())))?.requestedMs ?? null;
  }

  /** What a part says of its shard's counts; null when the shard is not decided. */
  counts(tenant: string, batchId: string, shard: number): Promise<ShardProgress | null> {
    return this.#find(tenant, keys.part(tenant, batchId, shard), async () => {
      const header = await loadPartHeader(this.#store, tenant, batchId, shard);
      if (!header) return null;
      const { completed, failed, inputTokens, outputTokens } = header;
      return { value: { completed, failed, inputTokens, outputTokens }, bytes: 0 };
    });
  }

  /** The head of the plan when it is remembered: known without a read. */
  knownPlanHead(tenant: string, batchId: string): PlanHead | null {
    return (this.#kept.get(headName(tenant, batchId)) as PlanHead | undefined) ?? null;
  }

  knownManifest(tenant: string, batchId: string): ManifestObject | null {
    return (this.#kept.get(keys.manifest(tenant, batchId)) as ManifestObject | undefined) ?? null;
  }

  /** What was accepted and planned. Throws `not_found` when there is no such batch; the plan is null when it is not planned yet. */
  async load(tenant: string, batchId: string): Promise<{ submit: SubmitObject; plan: PlanObject | null }> {
    const [submit, plan] = await Promise.all([
      isId('batch', batchId) ? this.submit(tenant, batchId) : null,
      isId('batch', batchId) ? this.plan(tenant, batchId) : null,
    ]);
    if (!submit) throw noSuchBatch(batchId);
    return { submit, plan };
  }

  forget(tenant: string, batchId: string): void {
    for (const key of [keys.submit, keys.plan, headName, keys.manifest, keys.cancel])
      this.#kept.delete(key(tenant, batchId));
  }

  /** Callers at the same time share one read. `name` alone says what the value is. */
  async #find<T extends object>(tenant: string, name: string, read: () => Promise<Sized<T> | null>): Promise<T | null> {
    const kept = this.#kept.get(name);
    if (kept) return kept as T;
    const underWay = this.#reading.get(name);
    if (underWay) {
      const found = await underWay.catch(() => null);
      // What is absent may have been written after that read began. One that began since is as good as our own.
      if (found) return found as T;
    }
    return (this.#reading.get(name) ?? this.#read(tenant, name, read)) as Promise<T | null>;
  }

  #read<T extends object>(tenant: string, name: string, read: () => Promise<Sized<T> | null>): Promise<object | null> {
    const reading = (async () => {
      try {
        const found = await read();
        if (!found) return null;
        this.#kept.set(name, found.value, recordBytes + storedBytesWeigh * found.bytes, tenant);
        return found.value;
      } finally {
        this.#reading.delete(name);
      }
    })();
    this.#reading.set(name, reading);
    return reading;
  }
}
