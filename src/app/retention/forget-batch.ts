import { manifestObject, storedFile } from '../../contract/stored-objects.js';
import { keys } from '../../domain/object-keys.js';
import { buryFile } from '../files/bury-file.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';

/** Takes a batch that has a tombstone out of the lists, and deletes its result files. May be repeated. */
export async function forgetBatch(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  batchId: string,
  listedMs: number,
): Promise<void> {
  const { store } = world;
  await store.delete(keys.batchIndexEntry(tenant, listedMs, batchId));
  const manifest = await getJson(store, keys.manifest(tenant, batchId), manifestObject);
  for (const result of [manifest?.output, manifest?.errors]) {
    const file = result && (await getJson(store, keys.file(tenant, result.fileId), storedFile));
    if (file) await buryFile(world, tenant, file);
  }
}
