import type { UploadObject } from '../../contract/upload-object.js';
import { uploadEnd } from '../../contract/stored-upload.js';
import { keys } from '../../domain/object-keys.js';
import { forRemoval } from '../retention/agenda.js';
import { createJson, getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { assertPending, loadUpload, toUploadObject } from './find-upload.js';

/** Gives an upload up; its parts are removed by the sweep. Repeating it changes nothing. Throws `upload_ended`, `not_found`. */
export async function cancelUpload(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  uploadId: string,
): Promise<UploadObject> {
  const found = await loadUpload(world, tenant, uploadId);
  if (found.end?.state === 'cancelled') return toUploadObject(found, null);
  assertPending(found);
  const key = keys.uploadEnd(tenant, uploadId);
  await createJson(world.store, key, { v: 1, state: 'cancelled', endedMs: world.clock.now() }, forRemoval);
  // Read back: a completion may have been faster.
  const end = await getJson(world.store, key, uploadEnd);
  if (end?.state !== 'cancelled') assertPending({ upload: found.upload, end });
  await world.store.delete(keys.pendingUpload(tenant, uploadId));
  world.log.info('upload.cancelled', { tenant, uploadId });
  return toUploadObject({ upload: found.upload, end }, null);
}
