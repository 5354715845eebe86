import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { buryFile } from './bury-file.js';
import { fileIndexKey, findFile, noSuchFile } from './find-file.js';

/**
 * Deletes a file: it is gone from the API at once; its bytes go a little later, or when no running batch reads them any more.
 * Deleting it again succeeds as long as the tombstone is kept. Throws `not_found`.
 */
export async function deleteFile(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  fileId: string,
): Promise<void> {
  const file = await findFile(world, tenant, fileId);
  if (file) return buryFile(world, tenant, file);
  if (!isId('file', fileId) || !(await world.store.head(keys.fileDeleted(tenant, fileId)))) throw noSuchFile(fileId);
  // That call may have been stopped half-way.
  const indexKey = await fileIndexKey(world, tenant, fileId);
  if (indexKey !== null) await world.store.delete(indexKey);
}
