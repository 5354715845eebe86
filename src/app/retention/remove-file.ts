import {
  fileTombstone,
  manifestObject,
  storedFile,
  type FileTombstone,
  type StoredFile,
} from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { keys, type DueItem } from '../../domain/object-keys.js';
import { isInputOf, listedMs } from '../files/find-file.js';
import { createJson, getJson } from '../stored-json.js';
import { forRemoval, whileUnderWay, type Look, type Removal, type Remover } from './agenda.js';
import { closeInput } from './close-input.js';
import type { InputsInUse } from './inputs-in-use.js';
import { removeAll } from './remove-all.js';
import { keepsParts } from './result-file.js';

/** The parts hold every result line once more: they go with the file that shows them. */
async function removeParts({ store }: Remover, tenant: string, file: StoredFile): Promise<void> {
  if (file.batchId === null) return;
  const manifest = await getJson(store, keys.manifest(tenant, file.batchId), manifestObject);
  if (!manifest || keepsParts(manifest)?.fileId !== file.id) return;
  await removeAll(store, keys.parts(tenant, file.batchId));
  await removeAll(store, keys.attempts(tenant, file.batchId));
}

/** The input of a retry that was cut off before its batch was made. */
const isAbandoned = async ({ store }: Remover, tenant: string, file: StoredFile): Promise<boolean> =>
  file.purpose === 'batch' && file.batchId !== null && !(await isInputOf(store, tenant, file.batchId, file.id));

/** Nobody ever saw it, so no tombstone is needed. */
async function removeAbandoned({ store }: Remover, tenant: string, file: StoredFile): Promise<Removal> {
  await store.delete(keys.fileIndexEntry(tenant, file.createdMs, file.id));
  if (file.batchId !== null) await store.delete(keys.retryLines(tenant, file.batchId, file.id));
  await store.delete(file.contentKey);
  await store.delete(keys.fileClosed(tenant, file.id));
  await store.delete(keys.file(tenant, file.id));
  return 'done';
}

async function removeDeleted(
  world: Remover,
  tenant: string,
  file: StoredFile,
  { deletedMs, listedMs: listed }: FileTombstone,
  expired: boolean,
): Promise<Removal> {
  const { store } = world;
  await store.delete(keys.fileIndexEntry(tenant, listed, file.id));
  // What lies in an inbox is the user's own.
  if (file.contentKey.startsWith(keys.ownObjects(tenant))) await store.delete(file.contentKey);
  await removeParts(world, tenant, file);
  await store.delete(keys.fileClosed(tenant, file.id));
  await store.delete(keys.file(tenant, file.id));
  world.log.info('file.removed', { tenant, fileId: file.id, bytes: file.bytes, expired });
  return { againMs: deletedMs + bounds.tombstoneMs };
}

/** No file.json: its upload was cut off, or it was removed. */
async function lookAtRest(
  { store, clock }: Remover,
  { tenant, id }: DueItem,
  tombstone: FileTombstone | null,
  inUse: InputsInUse,
): Promise<Look> {
  const now = clock.now();
  if (tombstone) {
    const goneMs = tombstone.deletedMs + bounds.tombstoneMs;
    if (now < goneMs) return { againMs: goneMs };
    await store.delete(keys.fileClosed(tenant, id));
    await store.delete(keys.fileDeleted(tenant, id));
    return 'done';
  }
  const contentKey = keys.fileContent(tenant, id);
  await closeInput(store, tenant, id, now);
  return {
    remove: async () => {
      const cameAfterAll = await store.head(keys.file(tenant, id));
      if (cameAfterAll || (await inUse.has(tenant, contentKey))) return { againMs: now + bounds.removalRetryMs };
      await store.delete(contentKey);
      await store.delete(keys.fileClosed(tenant, id));
      return 'done';
    },
  };
}

/**
 * Looks at a file whose time has come.
 *
 *     found                                   action
 *     no file.json, no tombstone              close it, then remove the content: its upload was cut off
 *     neither deleted nor expired             for an hour look again now and then; then when it expires
 *     input of a batch that never came        close it, then remove it
 *     deleted or expired, a batch reads it    look again later
 *     deleted or expired                      tombstone, close it; then index entry, content, parts of results, file.json
 *     tombstone only                          keep it for a day from its making, then remove it
 *
 * What comes behind "then" is done once the inputs in use were looked up anew, and if no batch reads it: see `close-input.ts`.
 */
export async function removeFile(world: Remover, item: DueItem, inUse: InputsInUse): Promise<Look> {
  const { store, clock } = world;
  const { tenant, id } = item;
  const now = clock.now();
  const [file, found] = await Promise.all([
    getJson(store, keys.file(tenant, id), storedFile),
    getJson(store, keys.fileDeleted(tenant, id), fileTombstone),
  ]);
  if (!file) return lookAtRest(world, item, found, inUse);
  const lookLater = { againMs: now + bounds.removalRetryMs };
  const removableMs = file.expiresMs === null ? Infinity : file.expiresMs + bounds.removalDelayMs;
  if (!found && now < removableMs) {
    const again = whileUnderWay(item, now);
    if (again) return again;
    if (!(await isAbandoned(world, tenant, file))) return file.expiresMs === null ? 'done' : { againMs: removableMs };
    await closeInput(store, tenant, id, now);
    const isStill = async () => (await isAbandoned(world, tenant, file)) && !(await inUse.has(tenant, file.contentKey));
    return { remove: async () => ((await isStill()) ? removeAbandoned(world, tenant, file) : lookLater) };
  }
  if (await inUse.has(tenant, file.contentKey)) return lookLater;

  const tombstone: FileTombstone = found ?? { v: 1, deletedMs: now, listedMs: await listedMs(world, tenant, file) };
  if (!found) await createJson(store, keys.fileDeleted(tenant, id), tombstone, forRemoval);
  const isOwnInput = file.purpose === 'batch' && file.contentKey.startsWith(keys.ownObjects(tenant));
  if (isOwnInput) await closeInput(store, tenant, id, now);
  return {
    remove: async () =>
      (await inUse.has(tenant, file.contentKey)) ? lookLater : removeDeleted(world, tenant, file, tombstone, !found),
  };
}
