import type { BatchObject } from '../contract/batch-object.js';
import { EyrieError, errorCode } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import { forRemoval } from './retention/agenda.js';
import { createJson } from './stored-json.js';
import { viewBatch } from './view-batch.js';
import type { World } from './world.js';

/**
 * The janitor looks at once at a batch whose open marker has changed. It has content now, so that the change shows also in stores that
 * note times in whole seconds.
 */
async function tellJanitor({ store, log }: World, tenant: string, batchId: string): Promise<void> {
  try {
    await store.put(keys.openBatch(tenant, batchId), Buffer.from('cancel'));
  } catch (error) {
    // Asked for all the same: the janitor comes by within a minute.
    log.warn('batch.cancel_not_told', { tenant, batchId, code: errorCode(error) });
  }
}

/**
 * Asks for a cancel. Workers see it within seconds and keep what is finished; the rest becomes `batch_cancelled` lines. Repeating
 * it changes nothing; a batch that has ended otherwise gives `batch_not_cancellable`.
 */
export async function cancelBatch(world: World, tenant: string, batchId: string): Promise<BatchObject> {
  const batch = await viewBatch(world, tenant, batchId);
  switch (batch.status) {
    case 'completed':
    case 'failed':
    case 'expired':
      throw new EyrieError('batch_not_cancellable', `Cannot cancel a batch with status '${batch.status}'.`);
    case 'finalizing':
    case 'cancelling':
    case 'cancelled':
      return batch;
    default:
      await createJson(world.store, keys.cancel(tenant, batchId), { v: 1, requestedMs: world.clock.now() }, forRemoval);
      await tellJanitor(world, tenant, batchId);
      world.log.info('batch.cancel_requested', { tenant, batchId });
      return viewBatch(world, tenant, batchId);
  }
}
