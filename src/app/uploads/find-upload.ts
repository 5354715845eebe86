import type { FileObject } from '../../contract/file-object.js';
import { storedUpload, uploadEnd, type StoredUpload, type UploadEnd } from '../../contract/stored-upload.js';
import type { UploadObject } from '../../contract/upload-object.js';
import { EyrieError } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';

/**
 * An upload and its fate. Its state is derived, never stored:
 *
 *     upload.json                            pending, and expired once its hour is over
 *     + end.json                             completed, cancelled or expired, for good
 */
export interface FoundUpload {
  readonly upload: StoredUpload;
  readonly end: UploadEnd | null;
}

export async function loadUpload(
  { store, clock }: Pick<World, 'store' | 'clock'>,
  tenant: string,
  uploadId: string,
): Promise<FoundUpload> {
  const [upload, end] = isId('upload', uploadId)
    ? await Promise.all([
        getJson(store, keys.upload(tenant, uploadId), storedUpload),
        getJson(store, keys.uploadEnd(tenant, uploadId), uploadEnd),
      ])
    : [null, null];
  if (!upload)
    throw new EyrieError('not_found', `No upload found with id '${uploadId.slice(0, 80)}'.`, { param: 'upload_id' });
  const now = clock.now();
  return { upload, end: !end && upload.expiresMs <= now ? { v: 1, state: 'expired', endedMs: now } : end };
}

/** Throws `upload_ended` unless the upload still takes parts. */
export function assertPending({ upload, end }: FoundUpload): void {
  if (end)
    throw new EyrieError('upload_ended', `The upload '${upload.id}' is ${end.state}. Create another one.`, {
      param: 'upload_id',
    });
}

const toSeconds = (ms: number): number => Math.floor(ms / 1000);

export function toUploadObject({ upload, end }: FoundUpload, file: FileObject | null): UploadObject {
  return {
    id: upload.id,
    object: 'upload',
    bytes: upload.bytes,
    created_at: toSeconds(upload.createdMs),
    filename: upload.filename,
    purpose: upload.purpose,
    status: end?.state ?? 'pending',
    expires_at: toSeconds(upload.expiresMs),
    file,
  };
}
