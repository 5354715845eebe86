import { fileTombstone, manifestObject, storedFile, type StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { isInputOf, listedMs } from '../files/find-file.js';
import { createJson, getJson } from '../stored-json.js';
import { mayBeUnderWay, type DueItem, type Removal, type Remover } from './agenda.js';
import type { InputsInUse } from './inputs-in-use.js';
import { removeAll } from './remove-all.js';
import { keepsParts } from './result-file.js';

/** The parts hold every result line once more: they go with the file that shows them. */
async function removeParts({ store }: Remover, tenant: string, file: StoredFile): Promise<void> {
  if (file.batchId === null) return;
  const manifest = await getJson(store, keys.manifest(tenant, file.batchId), manifestObject);
  if (manifest && keepsParts(manifest)?.fileId === file.id) await removeAll(store, keys.parts(tenant, file.batchId));
}

/** The input of a retry that was cut off before its batch was made. */
const isAbandoned = async ({ store }: Remover, tenant: string, file: StoredFile): Promise<boolean> =>
  file.purpose === 'batch' && file.batchId !== null && !(await isInputOf(store, tenant, file.batchId, file.id));

/** Nobody ever saw it, so no tombstone is needed. */
async function removeAbandoned({ store }: Remover, tenant: string, file: StoredFile): Promise<Removal> {
  await store.delete(keys.fileIndexEntry(tenant, file.createdMs, file.id));
  if (file.batchId !== null) await store.delete(keys.retryLines(tenant, file.batchId, file.id));
  await store.delete(file.contentKey);
  await store.delete(keys.file(tenant, file.id));
  return 'done';
}

/**
 * Looks at a file whose time has come.
 *
 *     found                                   action
 *     no file.json, no tombstone              remove the content: its upload was cut off
 *     neither deleted nor expired             for an hour nothing; then look again when it expires
 *     input of a batch that never came        remove it
 *     deleted or expired, a batch reads it    look again later
 *     deleted or expired                      tombstone, then index entry, content, parts of results, file.json
 *     tombstone only                          keep it for a day from its making, then remove it
 */
export async function removeFile(world: Remover, { tenant, id, dueMs }: DueItem, inUse: InputsInUse): Promise<Removal> {
  const { store, clock } = world;
  const now = clock.now();
  const [file, tombstone] = await Promise.all([
    getJson(store, keys.file(tenant, id), storedFile),
    getJson(store, keys.fileDeleted(tenant, id), fileTombstone),
  ]);
  const deletedKey = keys.fileDeleted(tenant, id);
  if (!file) {
    await store.delete(keys.fileContent(tenant, id));
    if (!tombstone) return 'done';
    const goneMs = tombstone.deletedMs + bounds.tombstoneMs;
    if (now < goneMs) return { againMs: goneMs };
    await store.delete(deletedKey);
    return 'done';
  }
  const removableMs = file.expiresMs === null ? Infinity : file.expiresMs + bounds.removalDelayMs;
  if (!tombstone && now < removableMs) {
    if (mayBeUnderWay(dueMs, now)) return 'stays';
    if (await isAbandoned(world, tenant, file)) return removeAbandoned(world, tenant, file);
    return file.expiresMs === null ? 'done' : { againMs: removableMs };
  }
  if (await inUse.has(tenant, file.contentKey)) return { againMs: now + bounds.removalRetryMs };

  const listed = tombstone?.listedMs ?? (await listedMs(world, tenant, file));
  if (!tombstone) await createJson(store, deletedKey, { v: 1, deletedMs: now, listedMs: listed });
  await store.delete(keys.fileIndexEntry(tenant, listed, id));
  // What lies in an inbox is the user's own.
  if (file.contentKey.startsWith(keys.ownObjects(tenant))) await store.delete(file.contentKey);
  await removeParts(world, tenant, file);
  await store.delete(keys.file(tenant, id));
  world.log.info('file.removed', { tenant, fileId: id, bytes: file.bytes, expired: !tombstone });
  return { againMs: (tombstone?.deletedMs ?? now) + bounds.tombstoneMs };
}
