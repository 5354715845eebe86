import type { StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { forRemoval, putOnAgenda } from '../retention/agenda.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { listedMs } from './find-file.js';

/** The commit of a deletion: the file is gone for users, and its bytes are on the agenda. May be repeated. */
export async function buryFile(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  file: StoredFile,
): Promise<void> {
  const { store, clock } = world;
  const listed = await listedMs(world, tenant, file);
  const deletedKey = keys.fileDeleted(tenant, file.id);
  if (!(await store.head(deletedKey))) {
    const deletedMs = clock.now();
    await putOnAgenda(store, deletedMs + bounds.removalDelayMs, tenant, file.id, forRemoval);
    await createJson(store, deletedKey, { v: 1, deletedMs, listedMs: listed }, forRemoval);
    world.log.info('file.deleted', { tenant, fileId: file.id });
  }
  await store.delete(keys.fileIndexEntry(tenant, listed, file.id));
}
