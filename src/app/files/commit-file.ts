import type { CreateFileFields, FileObject } from '../../contract/file-object.js';
import { storedFile, type StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { putOnAgenda } from '../retention/agenda.js';
import { createJson, getJson } from '../stored-json.js';
import type { World } from '../world.js';
import type { DigestedContent } from './content-digest.js';
import { enterFile } from './index-entry.js';
import { toFileObject } from './view-file.js';

export interface FileDescription extends CreateFileFields {
  readonly filename: string;
  /** The batch that the service makes this input for; absent: the file is a user's. */
  readonly batchId?: string;
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
  content: DigestedContent,
  createdMs: number,
): Promise<FileObject> {
  const file: StoredFile = {
    v: 1,
    id: fileId,
    ...content,
    filename: description.filename,
    purpose: description.purpose,
    createdMs,
    expiresMs: expiryMs(description, createdMs),
    contentKey: keys.fileContent(tenant, fileId),
    etag: null,
    batchId: description.batchId ?? null,
  };
  if (file.expiresMs !== null) await putOnAgenda(world.store, file.expiresMs + bounds.removalDelayMs, tenant, fileId);
  const key = keys.file(tenant, fileId);
  const { created } = await createJson(world.store, key, file);
  // Another call may have been first, at another time: the file has one place in the index.
  const stored = created ? file : ((await getJson(world.store, key, storedFile)) ?? file);
  await enterFile(world.store, tenant, stored.createdMs, fileId, stored.purpose);
  if (created) world.log.info('file.stored', { tenant, fileId, bytes: file.bytes, purpose: file.purpose });
  return toFileObject(stored);
}
