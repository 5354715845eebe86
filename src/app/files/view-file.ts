import type { FileObject } from '../../contract/file-object.js';
import type { StoredFile } from '../../contract/stored-objects.js';
import type { World } from '../world.js';
import { loadFile } from './find-file.js';

const toSeconds = (ms: number): number => Math.floor(ms / 1000);

export function toFileObject(file: StoredFile): FileObject {
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: toSeconds(file.createdMs),
    expires_at: file.expiresMs === null ? null : toSeconds(file.expiresMs),
    filename: file.filename,
    purpose: file.purpose,
    status: 'processed',
    status_details: null,
  };
}

/** The file as users see it. Throws `not_found`, also for another tenant's id. */
export async function viewFile(
  world: Pick<World, 'store' | 'clock'>,
  tenant: string,
  fileId: string,
): Promise<FileObject> {
  return toFileObject(await loadFile(world, tenant, fileId));
}
