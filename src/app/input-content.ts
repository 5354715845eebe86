import type { InputRef, StoredFile } from '../contract/stored-objects.js';
import { EyrieError } from '../domain/errors.js';
import type { GetOptions, ObjectStore } from '../ports/object-store.js';
import { verifiedWhole } from './files/verified-content.js';

/** How a batch names its input, so that it is known again. */
export const toInputRef = ({ contentKey, etag, bytes, sha256 }: StoredFile): InputRef => ({
  key: contentKey,
  etag: sha256 === '' ? etag : null,
  bytes,
  sha256,
});

export const inputChanged = (): EyrieError =>
  new EyrieError('input_changed', 'The input file was replaced after the batch was accepted.');

/** What pins an input of which no digest is known. */
export const pinOf = ({ etag, sha256 }: InputRef): GetOptions =>
  sha256 === '' && etag !== null ? { ifMatch: etag } : {};

/** All of an input. Throws `input_changed`, at the latest before its last bytes, when they are not the accepted ones. */
export async function openInput(store: ObjectStore, input: InputRef): Promise<AsyncIterable<Uint8Array> | null> {
  const object = await store.getStream(input.key, pinOf(input));
  if (!object) return null;
  return input.sha256 === '' ? object.body : verifiedWhole(object.body, input, inputChanged);
}
