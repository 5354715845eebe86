import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { heldInList } from './held-in-list.js';

/**
 * Makes a batch, if the tenant may have one more open one; else throws `insufficient_quota`. A batch counts while its open marker
 * exists: its end makes room by itself.
 */
export async function takeOpenBatch<T>(
  { store, tenants, claims }: Pick<World, 'store' | 'tenants' | 'claims'>,
  tenant: string,
  batchId: string,
  make: () => Promise<T>,
): Promise<T> {
  const { openBatches } = tenants.quotas(tenant);
  if (openBatches === null) return make();
  return claims.take(
    {
      kind: 'open-batches',
      tenant,
      id: batchId,
      limit: openBatches,
      held: () => heldInList(store, keys.openBatchesOf(tenant), openBatches),
      refusal: () =>
        new EyrieError(
          'insufficient_quota',
          `${openBatches} batches are open, as many as are allowed. Wait until one has ended, or cancel one.`,
          { bound: 'openBatchesDefault' },
        ),
    },
    make,
  );
}
