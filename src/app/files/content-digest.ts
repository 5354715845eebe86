import { createHash } from 'node:crypto';
import type { FileChunks } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { ObjectStore } from '../../ports/object-store.js';

/** What is kept of a content to verify it by, whole or in part. */
export interface DigestedContent {
  readonly bytes: number;
  /** Hex SHA-256. */
  readonly sha256: string;
  /** Absent when there is one piece: that is the whole. */
  readonly chunks?: FileChunks;
}

/** Digests the pieces of a content while it passes. */
class ChunkDigester {
  bytes = 0;
  readonly #ended: string[] = [];
  #hash = createHash('sha256');
  #filled = 0;

  add(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const taken = Math.min(bounds.fileChunkBytes - this.#filled, bytes.length - at);
      this.#hash.update(bytes.subarray(at, at + taken));
      this.#filled += taken;
      at += taken;
      if (this.#filled === bounds.fileChunkBytes) this.#close();
    }
  }

  describe(sha256: string): DigestedContent {
    if (this.#filled > 0) this.#close();
    const whole = { bytes: this.bytes, sha256 };
    return this.#ended.length > 1 ? { ...whole, chunks: { bytes: bounds.fileChunkBytes, sha256: this.#ended } } : whole;
  }

  #close(): void {
    this.#ended.push(this.#hash.digest('hex'));
    this.#hash = createHash('sha256');
    this.#filled = 0;
  }
}

/** Stores a content of any length under a key that nobody else writes, and says by what it is verified from now on. */
export async function putContent(
  store: ObjectStore,
  key: string,
  source: AsyncIterable<Uint8Array>,
): Promise<DigestedContent> {
  const digester = new ChunkDigester();
  const object = await store.putStream(
    key,
    (async function* () {
      for await (const bytes of source) {
        digester.add(bytes);
        yield bytes;
      }
    })(),
  );
  if (object.bytes !== digester.bytes)
    throw new EyrieError('store_unavailable', `${key} was stored with ${object.bytes} of ${digester.bytes} bytes.`);
  return digester.describe(object.sha256);
}

export function digestContent(bytes: Uint8Array): DigestedContent {
  const digester = new ChunkDigester();
  digester.add(bytes);
  return digester.describe(createHash('sha256').update(bytes).digest('hex'));
}
