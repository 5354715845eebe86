import {
  fileTombstone,
  manifestObject,
  storedFile,
  submitObject,
  type StoredFile,
} from '../../contract/stored-objects.js';
import { EyrieError } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { isDeleted } from '../batch-records.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';

type FileReader = Pick<World, 'store' | 'clock'>;

/** Whether this is the file that the batch was made over; of two retries at once only one's counts. */
export async function isInputOf(store: ObjectStore, tenant: string, batchId: string, fileId: string): Promise<boolean> {
  return (await getJson(store, keys.submit(tenant, batchId), submitObject))?.inputFileId === fileId;
}

/** Files made for a batch are written before the record that decides that they count, and go with their batch. */
async function isPublished({ store }: Pick<World, 'store'>, tenant: string, file: StoredFile): Promise<boolean> {
  if (file.batchId === null) return true;
  if (await isDeleted(store, tenant, file.batchId)) return false;
  if (file.purpose === 'batch') return isInputOf(store, tenant, file.batchId, file.id);
  const manifest = await getJson(store, keys.manifest(tenant, file.batchId), manifestObject);
  return manifest?.output?.fileId === file.id || manifest?.errors?.fileId === file.id;
}

/** The tenant's file, or null when there is none: unknown, deleted, expired, not yet published, or of another tenant. */
export async function findFile(world: FileReader, tenant: string, fileId: string): Promise<StoredFile | null> {
  if (!isId('file', fileId)) return null;
  const [file, tombstone] = await Promise.all([
    getJson(world.store, keys.file(tenant, fileId), storedFile),
    world.store.head(keys.fileDeleted(tenant, fileId)),
  ]);
  if (!file || tombstone) return null;
  if (file.expiresMs !== null && file.expiresMs <= world.clock.now()) return null;
  return (await isPublished(world, tenant, file)) ? file : null;
}

export const noSuchFile = (fileId: string): EyrieError =>
  new EyrieError('not_found', `No file found with id '${fileId.slice(0, 80)}'.`, { param: 'file_id' });

export async function loadFile(world: FileReader, tenant: string, fileId: string): Promise<StoredFile> {
  const file = await findFile(world, tenant, fileId);
  if (!file) throw noSuchFile(fileId);
  return file;
}

/** The time under which the index lists a file, Unix ms: for results that is the end of their batch. */
export async function listedMs({ store }: Pick<World, 'store'>, tenant: string, file: StoredFile): Promise<number> {
  if (file.batchId === null || file.purpose === 'batch') return file.createdMs;
  return (await getJson(store, keys.manifest(tenant, file.batchId), manifestObject))?.finishedMs ?? file.createdMs;
}

/** A file's key in the index, also of a deleted file; null when there never was such a file. */
export async function fileIndexKey(world: FileReader, tenant: string, fileId: string): Promise<string | null> {
  if (!isId('file', fileId)) return null;
  const file = await getJson(world.store, keys.file(tenant, fileId), storedFile);
  const ms = file
    ? await listedMs(world, tenant, file)
    : (await getJson(world.store, keys.fileDeleted(tenant, fileId), fileTombstone))?.listedMs;
  return ms === undefined ? null : keys.fileIndexEntry(tenant, ms, fileId);
}
