import type { Readable } from 'node:stream';
import { bounds } from '../domain/bounds.js';

/**
 * Bytes that wait in this process for clients that do not read them, by tenant. A stream with too many of them is cut off; when all
 * streams of a tenant together have too many, the one with most is.
 */
export class UnreadBytes {
  readonly #streams = new Map<string, Set<Readable>>();

  /** To be called after each push into the stream. */
  pushed(tenant: string, stream: Readable): void {
    if (stream.destroyed) return;
    const streams = this.#of(tenant, stream);
    if (stream.readableLength > bounds.liveUnreadBytesMax) stream.destroy();
    let total = 0;
    let most = stream;
    for (const other of streams) {
      // Its `close` is still to come.
      if (other.destroyed) continue;
      total += other.readableLength;
      if (other.readableLength > most.readableLength) most = other;
    }
    if (total > bounds.liveUnreadPerTenantBytesMax) most.destroy();
  }

  #of(tenant: string, stream: Readable): Set<Readable> {
    let streams = this.#streams.get(tenant);
    if (!streams) this.#streams.set(tenant, (streams = new Set()));
    if (streams.has(stream)) return streams;
    streams.add(stream);
    const all = streams;
    stream.once('close', () => {
      all.delete(stream);
      if (all.size === 0) this.#streams.delete(tenant);
    });
    return streams;
  }
}
