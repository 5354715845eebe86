import type { CreateFileFields, FileObject } from '../../contract/file-object.js';
import type { StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import type { StreamedObject } from '../../ports/object-store.js';
import { putOnAgenda } from '../retention/agenda.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { toFileObject } from './view-file.js';

export interface FileDescription extends CreateFileFields {
  readonly filename: string;
}

/** When a file expires, Unix ms; null = never. Batch inputs go after 30 days, as those of the OpenAI API. */
function expiryMs(description: FileDescription, createdMs: number): number | null {
  const seconds =
    description.expires_after?.seconds ?? (description.purpose === 'batch' ? bounds.batchFileExpirySeconds : null);
  return seconds === null ? null : createdMs + seconds * 1000;
}

/**
 * The commit of a file whose content lies in the store under its own key: from here on it is seen. Doing it again with the same
 * arguments changes nothing.
 */
export async function commitFile(
  world: Pick<World, 'store' | 'log'>,
  tenant: string,
  fileId: string,
  description: FileDescription,
  content: StreamedObject,
  createdMs: number,
): Promise<FileObject> {
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
  if (file.expiresMs !== null) await putOnAgenda(world.store, file.expiresMs + bounds.removalDelayMs, tenant, fileId);
  await createJson(world.store, keys.file(tenant, fileId), file);
  await world.store.put(keys.fileIndexEntry(tenant, createdMs, fileId), Buffer.of());
  world.log.info('file.stored', { tenant, fileId, bytes: file.bytes, purpose: file.purpose });
  return toFileObject(file);
}
