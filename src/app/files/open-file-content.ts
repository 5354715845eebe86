import type { StoredFile } from '../../contract/stored-objects.js';
import type { ByteRange } from '../../ports/object-store.js';
import type { World } from '../world.js';
import { noSuchFile } from './find-file.js';

/**
 * The bytes of a file, or a range of them. They are pinned by ETag: should the object have been replaced behind the service's
 * back, the call throws `input_changed` instead of giving other bytes.
 */
export async function openFileContent(
  world: Pick<World, 'store'>,
  file: StoredFile,
  range: ByteRange | null,
): Promise<AsyncIterable<Uint8Array>> {
  const content = await world.store.getStream(file.contentKey, {
    ifMatch: file.etag,
    ...(range ? { range } : {}),
  });
  if (!content) throw noSuchFile(file.id);
  return content.body;
}
