import { storedFile } from '../../contract/stored-objects.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { createJson, getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { findFile, noSuchFile } from './find-file.js';

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
      createdMs: file.createdMs,
    });
    await world.store.delete(keys.fileIndexEntry(tenant, file.createdMs, fileId));
    world.log.info('file.deleted', { tenant, fileId });
    return;
  }
  if (!isId('file', fileId) || !(await world.store.head(keys.fileDeleted(tenant, fileId)))) throw noSuchFile(fileId);
  // Deleted before, perhaps by a call that was stopped half-way.
  const record = await getJson(world.store, keys.file(tenant, fileId), storedFile);
  if (record) await world.store.delete(keys.fileIndexEntry(tenant, record.createdMs, fileId));
}
