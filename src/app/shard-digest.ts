import { createHash, type Hash } from 'node:crypto';

/**
 * SHA-256 over a shard's counted lines, each with a line feed behind it (a line over the size limit counts as a marker). The
 * planner stores it, the worker computes it again: a shard is never generated from other bytes than were validated.
 */
export class ShardDigest {
  readonly #hash: Hash = createHash('sha256');

  add(line: Uint8Array | null): void {
    this.#hash.update(line ?? '\0').update('\n');
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}
