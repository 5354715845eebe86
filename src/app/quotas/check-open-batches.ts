import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';

/** Throws `insufficient_quota` when the tenant has as many open batches as it may have. */
export async function checkOpenBatches(
  { store, tenants }: Pick<World, 'store' | 'tenants'>,
  tenant: string,
): Promise<void> {
  const { openBatches } = tenants.quotas(tenant);
  if (openBatches === null) return;
  let open = 0;
  let after: string | null = null;
  do {
    const page = await store.list(keys.openBatchesOf(tenant), after === null ? {} : { after });
    open += page.objects.length;
    after = page.next;
  } while (after !== null && open < openBatches);
  if (open >= openBatches)
    throw new EyrieError(
      'insufficient_quota',
      `${openBatches} batches are open, as many as are allowed. Wait until one has ended, or cancel one.`,
    );
}
