import type { ManifestObject, SubmitObject } from '../contract/stored-objects.js';
import { terminalEvent } from '../contract/webhook-event.js';
import { keys } from '../domain/object-keys.js';
import { enterFile } from './files/index-entry.js';
import { findPlanHead } from './stored-plan.js';
import { toEndEvent } from './webhooks/batch-events.js';
import { receiversOfEnd } from './webhooks/choose-receivers.js';
import { publishEvent, queueFirstAttempts } from './webhooks/publish-event.js';
import type { World } from './world.js';

/**
 * What follows the manifest: the files appear in lists, the event with its receivers is noted before the batch is no longer open,
 * and the deliveries are queued. Every step may be repeated; a crash in between is finished by the janitor.
 */
export async function closeBatch(world: World, submit: SubmitObject, manifest: ManifestObject): Promise<void> {
  const { store } = world;
  const { tenant, batchId } = submit;
  for (const file of [manifest.output, manifest.errors])
    if (file) await enterFile(store, tenant, manifest.finishedMs, file.fileId, 'batch_output');
  const event = await publishEvent(world, {
    tenant,
    event: toEndEvent(
      submit,
      manifest,
      manifest.state === 'failed' ? await findPlanHead(world, tenant, batchId) : null,
    ),
    createdMs: manifest.finishedMs,
    batchId,
    receivers: await receiversOfEnd(world, submit, terminalEvent(manifest.state)),
    retry: 'schedule',
  });
  await store.delete(keys.openBatch(tenant, batchId));
  if (event) await queueFirstAttempts(world, event);
  await world.progress.forget(batchId);
}
