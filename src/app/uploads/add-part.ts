import type { UploadPartObject } from '../../contract/upload-object.js';
import { errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { assertPending, loadUpload } from './find-upload.js';

export interface NewPart {
  readonly tenant: string;
  readonly uploadId: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** Reads the form to its end; throws when it is not well-formed. */
  readonly finish: () => Promise<unknown>;
}

/** Takes one part, of any size up to the bound, in any order. It counts only if `complete` names it. */
export async function addPart(
  world: Pick<World, 'store' | 'clock' | 'ids' | 'log'>,
  { tenant, uploadId, content, finish }: NewPart,
): Promise<UploadPartObject> {
  assertPending(await loadUpload(world, tenant, uploadId));
  const id = world.ids.next('part');
  const key = keys.uploadPart(tenant, uploadId, id);
  try {
    await world.store.putStream(key, content);
    await finish();
  } catch (error) {
    world.log.warn('upload.part_discarded', { tenant, uploadId, code: errorCode(error) });
    await world.store.delete(key);
    throw error;
  }
  return { id, object: 'upload.part', created_at: Math.floor(world.clock.now() / 1000), upload_id: uploadId };
}
