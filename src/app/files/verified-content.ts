import { createHash } from 'node:crypto';
import type { FileChunks } from '../../contract/stored-objects.js';
import type { EyrieError } from '../../domain/errors.js';
import type { ByteRange } from '../../ports/object-store.js';

/**
 * A content that is verified by one digest over all of it. Its last bytes are given away only when they and all before them are
 * right; else this throws what `failure` gives.
 */
export async function* verifiedWhole(
  body: AsyncIterable<Uint8Array>,
  expected: { readonly bytes: number; readonly sha256: string },
  failure: () => EyrieError,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let seen = 0;
  let held: Uint8Array | null = null;
  for await (const bytes of body) {
    if (bytes.length === 0) continue;
    hash.update(bytes);
    seen += bytes.length;
    if (seen > expected.bytes) throw failure();
    if (held) yield held;
    held = bytes;
  }
  if (seen !== expected.bytes || hash.digest('hex') !== expected.sha256) throw failure();
  if (held) yield held;
}

/** The whole pieces that hold a range. */
export function coveringRange({ start, end }: ByteRange, pieceBytes: number, totalBytes: number): ByteRange {
  return {
    start: Math.floor(start / pieceBytes) * pieceBytes,
    end: Math.min(Math.ceil(end / pieceBytes) * pieceBytes, totalBytes),
  };
}

/** The bytes of `list`, which begins at `from`, that lie in the range. */
function* within(list: readonly Uint8Array[], from: number, { start, end }: ByteRange): Generator<Uint8Array> {
  let at = from;
  for (const bytes of list) {
    const wanted = bytes.subarray(Math.max(0, start - at), Math.max(0, end - at));
    if (wanted.length > 0) yield wanted;
    at += bytes.length;
  }
}

/**
 * A range of a content whose pieces have digests. `body` begins at the first piece that holds some of it and ends with the last.
 * Nothing of a piece is given away before all of it is right; else this throws what `failure` gives.
 */
export async function* verifiedRange(
  body: AsyncIterable<Uint8Array>,
  {
    bytes: totalBytes,
    chunks,
    range,
  }: { readonly bytes: number; readonly chunks: FileChunks; readonly range: ByteRange },
  failure: () => EyrieError,
): AsyncGenerator<Uint8Array> {
  const covering = coveringRange(range, chunks.bytes, totalBytes);
  let start = covering.start;
  let piece: Uint8Array[] = [];
  let filled = 0;
  let hash = createHash('sha256');
  for await (const bytes of body)
    for (let at = 0; at < bytes.length;) {
      const pieceBytes = Math.min(chunks.bytes, covering.end - start);
      if (pieceBytes <= 0) throw failure();
      const taken = bytes.subarray(at, at + pieceBytes - filled);
      hash.update(taken);
      piece.push(taken);
      filled += taken.length;
      at += taken.length;
      if (filled < pieceBytes) continue;
      if (hash.digest('hex') !== chunks.sha256[start / chunks.bytes]) throw failure();
      yield* within(piece, start, range);
      start += pieceBytes;
      piece = [];
      filled = 0;
      hash = createHash('sha256');
    }
  if (start < covering.end) throw failure();
}

/** A range of a content of which nothing but its length is known. */
export async function* measuredRange(
  body: AsyncIterable<Uint8Array>,
  { start, end }: ByteRange,
  failure: () => EyrieError,
): AsyncGenerator<Uint8Array> {
  let seen = 0;
  for await (const bytes of body) {
    seen += bytes.length;
    if (seen > end - start) throw failure();
    yield bytes;
  }
  if (seen !== end - start) throw failure();
}
