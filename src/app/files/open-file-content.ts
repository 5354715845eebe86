import type { FileChunks, StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { ByteRange, ObjectBody } from '../../ports/object-store.js';
import type { World } from '../world.js';
import { noSuchFile } from './find-file.js';
import { coveringRange, measuredRange, verifiedRange, verifiedWhole } from './verified-content.js';

const damaged = ({ id }: StoredFile): EyrieError =>
  new EyrieError(
    'content_damaged',
    `The stored content of file '${id}' is not what was written. Restore its object from a copy, or make the file again.`,
  );

/** null: a large file of an earlier version, of which only the whole has a digest. */
function chunksOf({ bytes, sha256, chunks }: StoredFile): FileChunks | null {
  if (chunks) return chunks;
  return bytes <= bounds.fileChunkBytes ? { bytes: bounds.fileChunkBytes, sha256: [sha256] } : null;
}

async function open(
  { store }: Pick<World, 'store'>,
  file: StoredFile,
  options: { readonly ifMatch?: string; readonly range: ByteRange; readonly signal?: AbortSignal },
  turn?: () => Promise<void>,
): Promise<AsyncIterable<Uint8Array>> {
  const { range, ...rest } = options;
  const isWhole = range.start === 0 && range.end === file.bytes;
  const content: ObjectBody | null = await store.getStream(file.contentKey, isWhole ? rest : options);
  if (!content) throw noSuchFile(file.id);
  if (content.info.bytes === file.bytes) return turn ? inTurns(content.body, turn) : content.body;
  await content.body[Symbol.asyncIterator]().return?.();
  throw damaged(file);
}

async function* inTurns(body: AsyncIterable<Uint8Array>, turn: () => Promise<void>): AsyncGenerator<Uint8Array> {
  for await (const bytes of body) {
    await turn();
    yield bytes;
  }
}

/** Takes the first bytes now, so that what is wrong with them is known before anything is answered. */
async function begun(pieces: AsyncGenerator<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  let first: IteratorResult<Uint8Array> | null = await pieces.next();
  const next = (): Promise<IteratorResult<Uint8Array>> => {
    if (!first) return pieces.next();
    const result = first;
    first = null;
    return Promise.resolve(result);
  };
  // Not a generator: one that was never begun would not close what it was to read from.
  return { [Symbol.asyncIterator]: () => ({ next, return: () => pieces.return(undefined) }) };
}

/**
 * The bytes of a file, or a range of them. What the service wrote is verified by its digests, whatever the store calls the object,
 * and no byte leaves before the piece around it is known to be right: else this, or a later step of the iteration, throws
 * `content_damaged`. A file that is the user's own is pinned by its ETag: `input_changed` when it was replaced. Large files of
 * earlier versions are verified as a whole; ranges of them by length. `signal`: nobody reads on. `turn` is waited for before the bytes
 * of each read of the store are looked at.
 */
export async function openFileContent(
  world: Pick<World, 'store'>,
  file: StoredFile,
  part: ByteRange | null,
  { signal, turn }: { readonly signal?: AbortSignal; readonly turn?: () => Promise<void> } = {},
): Promise<AsyncIterable<Uint8Array>> {
  const range = part ?? { start: 0, end: file.bytes };
  const given = signal ? { signal } : {};
  if (file.sha256 === '')
    return open(world, file, { ...given, ...(file.etag === null ? {} : { ifMatch: file.etag }), range }, turn);
  const failure = (): EyrieError => damaged(file);
  const chunks = chunksOf(file);
  if (chunks) {
    const body = await open(world, file, { ...given, range: coveringRange(range, chunks.bytes, file.bytes) }, turn);
    return begun(verifiedRange(body, { bytes: file.bytes, chunks, range }, failure));
  }
  const body = await open(world, file, { ...given, range }, turn);
  return begun(part ? measuredRange(body, range, failure) : verifiedWhole(body, file, failure));
}
