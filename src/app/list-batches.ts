import type { BatchObject } from '../contract/batch-object.js';
import { toListPage, type ListPage } from '../contract/file-object.js';
import { EyrieError } from '../domain/errors.js';
import { idPrefixes } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import { loadSubmit } from './batch-records.js';
import { viewBatch } from './view-batch.js';
import type { World } from './world.js';

async function cursorKey(world: World, tenant: string, after: string): Promise<string> {
  try {
    const submit = await loadSubmit(world.store, tenant, after);
    return keys.batchIndexEntry(tenant, submit.createdMs, after);
  } catch (cause) {
    if (cause instanceof EyrieError && cause.code === 'not_found')
      throw new EyrieError('invalid_value', `Invalid value for 'after': no batch has the id '${after}'.`, {
        param: 'after',
        cause,
      });
    throw cause;
  }
}

/** A page of the tenant's batches, newest first, read from the index in the store. `limit` 1..100. */
export async function listBatches(
  world: World,
  tenant: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<ListPage<BatchObject>> {
  const after = page.after === null ? {} : { after: await cursorKey(world, tenant, page.after) };
  const found = await world.store.list(keys.batchIndex(tenant), { ...after, limit: page.limit + 1 });
  const ids = found.objects.map(({ key }) => key.slice(key.lastIndexOf(idPrefixes.batch)));
  const batches = await Promise.all(ids.slice(0, page.limit).map((id) => viewBatch(world, tenant, id)));
  return toListPage(batches, ids.length > page.limit);
}
