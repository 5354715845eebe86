import type { CreateUploadRequest, UploadObject } from '../../contract/upload-object.js';
import type { StoredUpload } from '../../contract/stored-upload.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { toUploadObject } from './find-upload.js';

/** Begins an upload in parts. It takes parts for an hour; the marker lets the sweep find it when nobody ends it. */
export async function beginUpload(
  world: Pick<World, 'store' | 'clock' | 'ids' | 'log'>,
  tenant: string,
  request: CreateUploadRequest,
): Promise<UploadObject> {
  const createdMs = world.clock.now();
  const upload: StoredUpload = {
    v: 1,
    id: world.ids.next('upload'),
    bytes: request.bytes,
    filename: request.filename,
    purpose: request.purpose,
    mimeType: request.mime_type,
    fileExpiresSeconds: request.expires_after?.seconds ?? null,
    createdMs,
    expiresMs: createdMs + bounds.uploadSeconds * 1000,
  };
  await world.store.put(keys.openUpload(tenant, upload.id), Buffer.of());
  await createJson(world.store, keys.upload(tenant, upload.id), upload);
  world.log.info('upload.begun', { tenant, uploadId: upload.id, bytes: upload.bytes });
  return toUploadObject({ upload, end: null }, null);
}
