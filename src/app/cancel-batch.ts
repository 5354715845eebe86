import type { BatchObject } from '../contract/batch-object.js';
import { EyrieError } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import { createJson } from './stored-json.js';
import { viewBatch } from './view-batch.js';
import type { World } from './world.js';

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
      await createJson(world.store, keys.cancel(tenant, batchId), { v: 1, requestedMs: world.clock.now() });
      world.log.info('batch.cancel_requested', { tenant, batchId });
      return viewBatch(world, tenant, batchId);
  }
}
