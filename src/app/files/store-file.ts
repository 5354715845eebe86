import type { CreateFileFields, FileObject } from '../../contract/file-object.js';
import type { StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { StreamedObject } from '../../ports/object-store.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { toFileObject } from './view-file.js';

type FileWriter = Pick<World, 'store' | 'clock' | 'ids' | 'log'>;

export interface FileDescription extends CreateFileFields {
  readonly filename: string;
}

export interface NewFile {
  readonly tenant: string;
  /** The bytes as they arrive; throws when the upload is cut off or too large. */
  readonly content: AsyncIterable<Uint8Array>;
  /** What the file is; asked for when the content has ended, because a form may name it behind the content. */
  readonly describe: () => Promise<FileDescription>;
}

/** When a file made now expires, Unix ms; null = never. Batch inputs go after 30 days, as those of the OpenAI API. */
function expiryMs(description: FileDescription, createdMs: number): number | null {
  const seconds =
    description.expires_after?.seconds ?? (description.purpose === 'batch' ? bounds.batchFileExpirySeconds : null);
  return seconds === null ? null : createdMs + seconds * 1000;
}

/** The commit of a file whose content lies in the store: from here on it is seen. */
export async function commitFile(
  world: FileWriter,
  tenant: string,
  fileId: string,
  description: FileDescription,
  content: StreamedObject,
): Promise<FileObject> {
  const createdMs = world.clock.now();
  const file: StoredFile = {
    v: 1,
    id: fileId,
    bytes: content.bytes,
    sha256: content.sha256,
    filename: description.filename,
    purpose: description.purpose,
    createdMs,
    expiresMs: expiryMs(description, createdMs),
    contentKey: keys.fileContent(tenant, fileId),
    etag: content.etag,
    batchId: null,
  };
  const { created } = await createJson(world.store, keys.file(tenant, fileId), file);
  if (!created) throw new EyrieError('internal_error', `A new file id was already in use: ${fileId}.`);
  await world.store.put(keys.fileIndexEntry(tenant, createdMs, fileId), Buffer.of());
  world.log.info('file.stored', { tenant, fileId, bytes: file.bytes, purpose: file.purpose });
  return toFileObject(file);
}

/**
 * Stores an upload in one pass. Nothing is seen before all of it is in the store; if the upload fails, its content is removed
 * and the error is thrown on.
 */
export async function storeFile(world: FileWriter, upload: NewFile): Promise<FileObject> {
  const { tenant } = upload;
  const fileId = world.ids.next('file');
  const contentKey = keys.fileContent(tenant, fileId);
  let content: StreamedObject;
  let description: FileDescription;
  try {
    content = await world.store.putStream(contentKey, upload.content);
    description = await upload.describe();
  } catch (error) {
    await discardContent(world, tenant, fileId);
    world.log.warn('file.upload_discarded', { tenant, fileId, code: errorCode(error) });
    throw error;
  }
  return commitFile(world, tenant, fileId, description, content);
}

/** Best effort: content without a file.json is never seen, and the janitor removes what is left here. */
async function discardContent(world: FileWriter, tenant: string, fileId: string): Promise<void> {
  try {
    await world.store.delete(keys.fileContent(tenant, fileId));
  } catch (error) {
    world.log.warn('file.content_left_behind', { tenant, fileId, code: errorCode(error) });
  }
}
