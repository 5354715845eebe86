import type { CreateUploadRequest, UploadObject } from '../../contract/upload-object.js';
import type { StoredUpload } from '../../contract/stored-upload.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { heldInList } from '../quotas/held-in-list.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { toUploadObject } from './find-upload.js';

const tooManyOpen = (): EyrieError =>
  new EyrieError(
    'insufficient_quota',
    `${bounds.uploadsOpenMax} uploads are open, as many as are allowed. Complete or cancel one (POST /v1/uploads/{upload_id}/cancel).`,
    { bound: 'uploadsOpenMax' },
  );

/**
 * Begins an upload in parts. It takes parts for an hour; the marker lets the sweep find it when nobody ends it. Throws
 * `insufficient_quota` when the tenant has too many that have not ended.
 */
export async function beginUpload(
  world: Pick<World, 'store' | 'claims' | 'clock' | 'ids' | 'log'>,
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
  const { store } = world;
  await world.claims.take(
    {
      kind: 'uploads',
      tenant,
      id: upload.id,
      limit: bounds.uploadsOpenMax,
      held: () => heldInList(store, keys.pendingUploads(tenant), bounds.uploadsOpenMax),
      refusal: tooManyOpen,
    },
    async () => {
      await store.put(keys.openUpload(tenant, upload.id), Buffer.of());
      await store.put(keys.pendingUpload(tenant, upload.id), Buffer.of());
      await createJson(store, keys.upload(tenant, upload.id), upload);
    },
  );
  world.log.info('upload.begun', { tenant, uploadId: upload.id, bytes: upload.bytes });
  return toUploadObject({ upload, end: null }, null);
}
