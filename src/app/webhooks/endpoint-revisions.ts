import { endpointRevision, type EndpointRevision, type StoredEndpoint } from '../../contract/stored-webhooks.js';
import { EyrieError } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';
import { forRemoval } from '../retention/agenda.js';
import { createJson, getJson } from '../stored-json.js';

/**
 * An endpoint is a row of revisions, each created once: writing revision n+1 is the compare-and-set on revision n. The highest
 * counts; lower ones are removed after it, so a secret that was replaced does not stay.
 *
 *     none                    no such endpoint
 *     an endpoint             as it is now
 *     a tombstone             deleted; the next creation removes old ones
 */

/** A revision that was listed may be gone when it is read; then there is a later one. */
const readsMax = 10;

/** null: there is none, or it was deleted. */
export async function findEndpoint(
  store: ObjectStore,
  tenant: string,
  endpointId: string,
): Promise<StoredEndpoint | null> {
  const latest = isId('endpoint', endpointId) ? await latestRevision(store, tenant, endpointId) : null;
  return latest?.deletedMs === null ? latest : null;
}

/** Throws `not_found`, also for another tenant's. */
export async function loadEndpoint(store: ObjectStore, tenant: string, endpointId: string): Promise<StoredEndpoint> {
  const endpoint = await findEndpoint(store, tenant, endpointId);
  if (!endpoint)
    throw new EyrieError('not_found', `No webhook endpoint found with id '${endpointId.slice(0, 80)}'.`, {
      param: 'endpoint_id',
    });
  return endpoint;
}

async function latestRevision(
  store: ObjectStore,
  tenant: string,
  endpointId: string,
): Promise<EndpointRevision | null> {
  for (let reads = 0; reads < readsMax; reads++) {
    const { objects } = await store.list(keys.webhookEndpoint(tenant, endpointId), { limit: 1 });
    const [latest] = objects;
    if (!latest) return null;
    const revision = await getJson(store, latest.key, endpointRevision);
    if (revision) return revision;
  }
  throw new EyrieError('store_unavailable', `Webhook endpoint ${endpointId} changes all the time. Try again.`);
}

/** The latest revisions of all endpoints of a tenant, tombstones too, newest endpoint first. */
export async function listRevisions(store: ObjectStore, tenant: string): Promise<EndpointRevision[]> {
  const latest = new Map<string, string>();
  for await (const { key } of listAll(store, keys.webhookEndpoints(tenant))) {
    const id = key.split('/').at(-2) ?? '';
    if (!latest.has(id)) latest.set(id, key);
  }
  const found = await Promise.all(
    Array.from(
      latest,
      async ([id, key]) => (await getJson(store, key, endpointRevision)) ?? latestRevision(store, tenant, id),
    ),
  );
  return found.filter((revision) => revision !== null);
}

/** The tenant's endpoints, newest first. */
export async function listEndpoints(store: ObjectStore, tenant: string): Promise<StoredEndpoint[]> {
  const revisions = await listRevisions(store, tenant);
  return revisions
    .filter((revision) => revision.deletedMs === null)
    .toSorted((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? 1 : -1));
}

/** Another writer comes in between this often at most, before a change is given up. */
const changesMax = 10;

/**
 * Changes an endpoint as it is now; `change` is asked again when another writer was first, and returns null when there is nothing
 * to change. Returns what then stands. Throws `not_found`.
 */
export async function changeEndpoint<T extends EndpointRevision>(
  store: ObjectStore,
  tenant: string,
  endpointId: string,
  change: (now: StoredEndpoint) => Omit<T, 'revision'> | null,
): Promise<T | StoredEndpoint> {
  for (let tries = 0; tries < changesMax; tries++) {
    const now = await loadEndpoint(store, tenant, endpointId);
    const changed = change(now);
    if (changed === null) return now;
    const next = { ...changed, revision: now.revision + 1 } as T;
    if (await writeRevision(store, tenant, next)) return next;
  }
  throw new EyrieError('store_unavailable', `Webhook endpoint ${endpointId} changes all the time. Try again.`);
}

/** False: another writer was first, and nothing was changed. A tombstone finds space on a full disk, too. */
export async function writeRevision(store: ObjectStore, tenant: string, revision: EndpointRevision): Promise<boolean> {
  const key = keys.webhookEndpointRevision(tenant, revision.id, revision.revision);
  const { created } = await createJson(store, key, revision, revision.deletedMs === null ? {} : forRemoval);
  if (!created) return false;
  const { objects } = await store.list(keys.webhookEndpoint(tenant, revision.id));
  if (objects[0]?.key !== key) {
    // Others went on by two or more and removed the revision that this one was to follow.
    await store.delete(key);
    return false;
  }
  await store.deleteMany(objects.slice(1).map(({ key: earlier }) => earlier));
  return true;
}
