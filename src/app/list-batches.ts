import type { BatchObject } from '../contract/batch-object.js';
import { toListPage, type ListPage } from '../contract/file-object.js';
import { batchTombstone } from '../contract/stored-objects.js';
import { EyrieError, errorCode } from '../domain/errors.js';
import { idPrefixes, isId } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import type { FleetState } from '../ports/progress-board.js';
import { readIndex, type ListOrder } from './index-walk.js';
import { readFleet } from './open-work.js';
import { getJson } from './stored-json.js';
import { viewBatch } from './view-batch.js';
import type { World } from './world.js';

export interface BatchesPage {
  /** Id of the last batch seen; it may have been deleted since. */
  readonly after: string | null;
  /** 1..100. */
  readonly limit: number;
  /** By time of creation. */
  readonly order: ListOrder;
}

const idOf = (key: string): string => key.slice(key.lastIndexOf(idPrefixes.batch));

async function cursorKey({ store, records }: World, tenant: string, after: string): Promise<string> {
  if (isId('batch', after)) {
    const submit = await records.submit(tenant, after);
    const createdMs =
      submit?.createdMs ?? (await getJson(store, keys.batchDeleted(tenant, after), batchTombstone))?.listedMs;
    if (createdMs !== undefined) return keys.batchIndexEntry(tenant, createdMs, after);
  }
  throw new EyrieError('invalid_value', `Invalid value for 'after': no batch has the id '${after.slice(0, 80)}'.`, {
    param: 'after',
  });
}

async function viewIfThere(
  world: World,
  tenant: string,
  batchId: string,
  fleet: () => Promise<FleetState | null>,
): Promise<BatchObject | null> {
  try {
    return await viewBatch(world, tenant, batchId, fleet);
  } catch (error) {
    // Deleted while the list was read.
    if (errorCode(error) === 'not_found') return null;
    throw error;
  }
}

/** A page of the tenant's batches, read from the index in the store. Throws `invalid_value` for an unknown `after`. */
export async function listBatches(world: World, tenant: string, page: BatchesPage): Promise<ListPage<BatchObject>> {
  const after = page.after === null ? null : await cursorKey(world, tenant, page.after);
  let state: Promise<FleetState | null> | undefined;
  // All batches of a page are seen beside the same fleet.
  const fleet = () => (state ??= readFleet(world));
  const { found, hasMore, last } = await readIndex(
    world.store,
    keys.batchIndex(tenant),
    { after, limit: page.limit, order: page.order },
    (key) => viewIfThere(world, tenant, idOf(key), fleet),
  );
  return toListPage(found, hasMore, last && idOf(last));
}
