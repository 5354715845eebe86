import { batchTombstone, submitObject } from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import { findManifest, noSuchBatch } from './batch-records.js';
import { forRemoval, putOnAgenda } from './retention/agenda.js';
import { forgetBatch } from './retention/forget-batch.js';
import { createJson, getJson } from './stored-json.js';
import type { World } from './world.js';

/**
 * Deletes an ended batch with its results: the tombstone is the commit, from then on it answers 404 and so do its files; the sweep
 * removes the bytes. Deleting it again succeeds. Throws `not_found`, `batch_not_ended`.
 */
export async function deleteBatch(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  batchId: string,
): Promise<void> {
  const { store } = world;
  if (!isId('batch', batchId)) throw noSuchBatch(batchId);
  const tombstoneKey = keys.batchDeleted(tenant, batchId);
  const earlier = await getJson(store, tombstoneKey, batchTombstone);
  if (earlier) return forgetBatch(world, tenant, batchId, earlier.listedMs);

  const submit = await getJson(store, keys.submit(tenant, batchId), submitObject);
  if (!submit) throw noSuchBatch(batchId);
  if (!(await findManifest(store, tenant, batchId)))
    throw new EyrieError(
      'batch_not_ended',
      `The batch '${batchId}' has not ended. Cancel it (POST /v1/batches/${batchId}/cancel) and delete it when it has.`,
    );
  const deletedMs = world.clock.now();
  await putOnAgenda(store, deletedMs + bounds.removalDelayMs, tenant, batchId, forRemoval);
  await createJson(store, tombstoneKey, { v: 1, deletedMs, listedMs: submit.createdMs }, forRemoval);
  world.log.info('batch.deleted', { tenant, batchId });
  await forgetBatch(world, tenant, batchId, submit.createdMs);
}
