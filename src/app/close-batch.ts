import type { ManifestObject, SubmitObject } from '../contract/stored-objects.js';
import { keys } from '../domain/object-keys.js';
import { receiversOf } from './deliveries.js';
import { deliveryJobOf } from './jobs.js';
import type { World } from './world.js';

/**
 * What follows the manifest: the files appear in lists, the duty to notify is noted before the batch is no longer open, and the
 * deliveries are queued. Every step may be repeated; a crash in between is finished by the janitor.
 */
export async function closeBatch(world: World, submit: SubmitObject, manifest: ManifestObject): Promise<void> {
  const { store } = world;
  const { tenant, batchId } = submit;
  for (const file of [manifest.output, manifest.errors])
    if (file) await store.put(keys.fileIndexEntry(tenant, manifest.finishedMs, file.fileId), Buffer.of());
  const receivers = receiversOf(submit);
  if (receivers.length > 0) await store.put(keys.pendingNotice(tenant, batchId), Buffer.of());
  await store.delete(keys.openBatch(tenant, batchId));
  await world.queue.add(
    'deliver',
    receivers.map((id) => deliveryJobOf(submit, id, 0, 0)),
  );
  await world.progress.forget(batchId);
}
