import type { UploadPartObject } from '../../contract/upload-object.js';
import { errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { assertPending, loadUpload } from './find-upload.js';
import type { PartRoom } from './part-room.js';

export interface NewPart {
  readonly tenant: string;
  readonly uploadId: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** The client says that it has sent this call before. */
  readonly isRepeat?: boolean;
  /** Reads the form to its end; throws when it is not well-formed. */
  readonly finish: () => Promise<unknown>;
}

/**
 * Takes one part, of any size up to the bound, in any order. It counts only if `complete` names it. Throws `invalid_value` when the
 * parts would have more bytes together than the upload was declared with.
 */
export async function addPart(
  world: Pick<World, 'store' | 'clock' | 'ids' | 'log'>,
  room: PartRoom,
  { tenant, uploadId, content, isRepeat = false, finish }: NewPart,
): Promise<UploadPartObject> {
  const found = await loadUpload(world, tenant, uploadId);
  assertPending(found);
  const id = world.ids.next('part');
  const key = keys.uploadPart(tenant, uploadId, id);
  const store = async (counted: AsyncIterable<Uint8Array>) => {
    await world.store.putStream(key, counted);
    await finish();
  };
  try {
    await room.take(tenant, found.upload, { key, isRepeat, content, store });
  } catch (error) {
    world.log.warn('upload.part_discarded', { tenant, uploadId, code: errorCode(error) });
    throw error;
  }
  return { id, object: 'upload.part', created_at: Math.floor(world.clock.now() / 1000), upload_id: uploadId };
}
