import {
  cancelObject,
  manifestObject,
  partHeader,
  planObject,
  submitObject,
  type ManifestObject,
  type PartHeader,
  type PlanObject,
  type SubmitObject,
  type WorkPlan,
} from '../contract/stored-objects.js';
import { EyrieError } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import { keys, shardOfPartKey } from '../domain/object-keys.js';
import type { ObjectInfo, ObjectStore } from '../ports/object-store.js';
import { getJson } from './stored-json.js';

/** Where a batch is found by users: in the tenant's list, and in that of the batch it retries. Repeating it changes nothing. */
export async function putInLists(store: ObjectStore, submit: SubmitObject): Promise<void> {
  const { tenant, batchId, createdMs, retryOf } = submit;
  await store.put(keys.batchIndexEntry(tenant, createdMs, batchId), Buffer.of());
  if (retryOf) await store.put(keys.child(tenant, retryOf.batchId, createdMs, batchId), Buffer.of());
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

/** For users: throws `not_found` for an unknown, a foreign and a deleted batch, with the same words. */
export async function loadShownSubmit(store: ObjectStore, tenant: string, batchId: string): Promise<SubmitObject> {
  if (!isId('batch', batchId)) throw noSuchBatch(batchId);
  const [submit, deleted] = await Promise.all([loadSubmit(store, tenant, batchId), isDeleted(store, tenant, batchId)]);
  if (deleted) throw noSuchBatch(batchId);
  return submit;
}

export const findPlan = (store: ObjectStore, tenant: string, batchId: string): Promise<PlanObject | null> =>
  getJson(store, keys.plan(tenant, batchId), planObject);

export const findManifest = (store: ObjectStore, tenant: string, batchId: string): Promise<ManifestObject | null> =>
  getJson(store, keys.manifest(tenant, batchId), manifestObject);

/** When the cancel was asked for, Unix ms; null when it was not. */
export async function cancelRequestedMs(store: ObjectStore, tenant: string, batchId: string): Promise<number | null> {
  return (await getJson(store, keys.cancel(tenant, batchId), cancelObject))?.requestedMs ?? null;
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
export const lastDecidedMs = (plan: WorkPlan, decided: ReadonlyMap<number, number>): number =>
  Array.from(decided.values()).reduce((last, ms) => Math.max(last, ms), plan.plannedMs);

/** A header line fits in this many bytes by far. */
const headerBytesMax = 4096;

/** The first line of a part, without reading the rest. */
export async function loadPartHeader(
  store: ObjectStore,
  tenant: string,
  batchId: string,
  shard: number,
): Promise<PartHeader | null> {
  const part = await store.get(keys.part(tenant, batchId, shard), { range: { start: 0, end: headerBytesMax } });
  if (!part) return null;
  const end = part.bytes.indexOf(0x0a);
  return partHeader.parse(JSON.parse(Buffer.from(part.bytes.subarray(0, end)).toString('utf8')));
}
