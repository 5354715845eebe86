import { retryLines, submitObject, type SubmitObject } from '../../contract/stored-objects.js';
import { EyrieError } from '../../domain/errors.js';
import { idPrefixes } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { isDeleted } from '../batch-records.js';
import { getJson } from '../stored-json.js';

/** Ids of the batches that run failed lines of this one again, oldest first. */
export async function childIds(store: ObjectStore, tenant: string, batchId: string): Promise<string[]> {
  const { objects } = await store.list(keys.children(tenant, batchId));
  return objects.map(({ key }) => key.slice(key.lastIndexOf(idPrefixes.batch)));
}

/** The record of a child; null when it was deleted. */
export const loadChild = async (store: ObjectStore, tenant: string, id: string): Promise<SubmitObject | null> =>
  (await isDeleted(store, tenant, id)) ? null : getJson(store, keys.submit(tenant, id), submitObject);

/** The records of the children that are there, oldest first. */
export async function loadChildren(store: ObjectStore, tenant: string, batchId: string): Promise<SubmitObject[]> {
  const ids = await childIds(store, tenant, batchId);
  const found = await Promise.all(ids.map((id) => loadChild(store, tenant, id)));
  return found.filter((submit) => submit !== null);
}

/** For each line of a child, in order, the index of the parent's line that it is. Ascending. */
export async function linesOfParent(store: ObjectStore, child: SubmitObject): Promise<readonly number[]> {
  const found = await getJson(store, keys.retryLines(child.tenant, child.batchId, child.inputFileId), retryLines);
  if (!found)
    throw new EyrieError(
      'internal_error',
      `The lines of the retry ${child.batchId} cannot be told: its record is gone.`,
    );
  return found.lines;
}
