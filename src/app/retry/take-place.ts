import { retryPlace } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { createJson, getJson } from '../stored-json.js';

export const tooManyRetries = (batchId: string): EyrieError =>
  new EyrieError(
    'too_many_retries',
    `The failed lines of batch '${batchId}' were run again ${bounds.retriesPerBatchMax} times, retries of its retries included, as often as is allowed. Submit them as a new batch.`,
    { bound: 'retriesPerBatchMax' },
  );

const holderOf = async (store: ObjectStore, tenant: string, batchId: string, n: number): Promise<string | null> =>
  (await getJson(store, keys.retryPlace(tenant, batchId, n), retryPlace))?.childId ?? null;

/**
 * Takes one of the places that a batch has for its retries and theirs, for one that is about to be made. A place is created once, so
 * there are never more of them than places, however many calls come at once and whatever their ids follow from. A place stays taken, also
 * when its child is deleted or never comes; a repeat of the call that took it finds it by the child's id. Throws
 * `too_many_retries`.
 */
export async function takeRetryPlace(
  store: ObjectStore,
  tenant: string,
  batchId: string,
  childId: string,
): Promise<void> {
  const { objects } = await store.list(keys.retryPlaces(tenant, batchId));
  const holders = await Promise.all(objects.map((_, n) => holderOf(store, tenant, batchId, n)));
  if (holders.includes(childId)) return;
  // Places are taken in their order, so the free ones begin behind those that are there.
  for (let n = objects.length; n < bounds.retriesPerBatchMax; n++) {
    const { created } = await createJson(store, keys.retryPlace(tenant, batchId, n), { v: 1, childId });
    if (created || (await holderOf(store, tenant, batchId, n)) === childId) return;
  }
  throw tooManyRetries(batchId);
}
