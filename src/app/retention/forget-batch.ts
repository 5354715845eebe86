import { manifestObject, storedFile, submitObject } from '../../contract/stored-objects.js';
import { keys } from '../../domain/object-keys.js';
import { takeFromLists } from '../batch-records.js';
import { buryFile } from '../files/bury-file.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';

/** Takes a batch that has a tombstone out of the lists, and deletes the files that were made for it. May be repeated. */
export async function forgetBatch(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  batchId: string,
  listedMs: number,
): Promise<void> {
  const { store } = world;
  const [submit, manifest] = await Promise.all([
    getJson(store, keys.submit(tenant, batchId), submitObject),
    getJson(store, keys.manifest(tenant, batchId), manifestObject),
  ]);
  await takeFromLists(store, submit ?? { tenant, batchId, createdMs: listedMs });
  const madeForIt = [manifest?.output?.fileId, manifest?.errors?.fileId, submit?.retryOf && submit.inputFileId];
  for (const fileId of madeForIt) {
    const file = fileId === undefined ? null : await getJson(store, keys.file(tenant, fileId), storedFile);
    if (file) await buryFile(world, tenant, file);
  }
}
