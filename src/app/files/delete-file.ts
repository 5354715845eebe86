import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { fileIndexKey, findFile, listedMs, noSuchFile } from './find-file.js';

/**
 * Deletes a file: it is gone from the API at once, its bytes stay as long as a running batch reads them. Deleting it again
 * succeeds as long as the tombstone is kept. Throws `not_found`.
 */
export async function deleteFile(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  fileId: string,
): Promise<void> {
  const file = await findFile(world, tenant, fileId);
  if (file) {
    await createJson(world.store, keys.fileDeleted(tenant, fileId), {
      v: 1,
      deletedMs: world.clock.now(),
      listedMs: await listedMs(world, tenant, file),
    });
    world.log.info('file.deleted', { tenant, fileId });
  } else if (!isId('file', fileId) || !(await world.store.head(keys.fileDeleted(tenant, fileId)))) {
    throw noSuchFile(fileId);
  }
  // Also when it was deleted before: that call may have been stopped half-way.
  const indexKey = await fileIndexKey(world, tenant, fileId);
  if (indexKey !== null) await world.store.delete(indexKey);
}
