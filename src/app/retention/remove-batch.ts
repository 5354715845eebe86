import { batchTombstone } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { keys, type DueItem } from '../../domain/object-keys.js';
import { findManifest } from '../batch-records.js';
import { getJson } from '../stored-json.js';
import { forgetEvent } from '../webhooks/forget-event.js';
import { whileUnderWay, type Removal, type Remover } from './agenda.js';
import { forgetBatch } from './forget-batch.js';
import { removeAll } from './remove-all.js';

/**
 * Removes a deleted batch: its content at once, its records when its end was told to everybody. submit.json goes first of the
 * records: without it no late job of the batch does anything. The tombstone stays, so that no repeated create, and no look at an
 * inbox, makes the batch a second time.
 */
export async function removeBatch(world: Remover, item: DueItem): Promise<Removal> {
  const { store, clock } = world;
  const { tenant, id } = item;
  const now = clock.now();
  const tombstone = await getJson(store, keys.batchDeleted(tenant, id), batchTombstone);
  if (!tombstone) return whileUnderWay(item, now) ?? 'done';
  // Not closed yet: that comes first, and needs the records.
  if (await store.head(keys.openBatch(tenant, id))) return { againMs: now + bounds.removalDelayMs };

  await forgetBatch(world, tenant, id, tombstone.listedMs);
  const records = [keys.batchDeleted, keys.submit, keys.plan, keys.manifest].map((key) => key(tenant, id));
  await removeAll(store, keys.batch(tenant, id), (key) => records.includes(key));
  const manifest = await findManifest(store, tenant, id);
  if (manifest && (await store.head(keys.pendingNotice(tenant, manifest.eventId))))
    return { againMs: now + bounds.removalRetryMs };

  if (manifest) await forgetEvent(store, tenant, manifest.eventId);
  await store.delete(keys.submit(tenant, id));
  await removeAll(store, keys.batch(tenant, id), (key) => key === keys.batchDeleted(tenant, id));
  world.log.info('batch.removed', { tenant, batchId: id });
  return 'done';
}
