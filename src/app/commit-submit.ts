import { submitObject, type SubmitObject } from '../contract/stored-objects.js';
import { EyrieError, errorCode } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import { putInLists } from './batch-records.js';
import { planJob } from './jobs.js';
import { createJson, getJson } from './stored-json.js';
import type { World } from './world.js';

/**
 * The commit of a batch: once this returns, it survives the loss of every process and of the queue. The open marker is written
 * before submit.json, so that the janitor finds the batch whatever happens in between, and again after it, in case a sweep
 * took the first one for a leftover. Returns the stored submit object: another's, when the batch was there already.
 */
export async function commitSubmit(world: World, submit: SubmitObject): Promise<SubmitObject> {
  const { store } = world;
  const { tenant, batchId } = submit;
  const marker = keys.openBatch(tenant, batchId);
  await store.put(marker, Buffer.of());
  const { created } = await createJson(store, keys.submit(tenant, batchId), submit);
  if (!created) {
    const earlier = await getJson(store, keys.submit(tenant, batchId), submitObject);
    if (!earlier) throw new EyrieError('store_unavailable', 'The batch record could not be read back. Try again.');
    // It may have ended long ago: then the marker just written would only make the janitor look once more.
    if (await store.head(keys.manifest(tenant, batchId))) await store.delete(marker);
    return earlier;
  }
  await store.put(marker, Buffer.of());
  await putInLists(store, submit);
  try {
    await world.queue.add('plan', [planJob(submit, world, submit.input?.bytes)]);
  } catch (error) {
    // Accepted all the same: the janitor queues it as soon as the queue is back.
    world.log.warn('batch.enqueue_failed', { tenant, batchId, code: errorCode(error) });
  }
  world.log.info('batch.accepted', { tenant, batchId, source: submit.source, inputBytes: submit.input?.bytes ?? null });
  return submit;
}
