import { idPrefixes, type IdKind } from '../../src/domain/ids.js';
import type { Ids } from '../../src/ports/ids.js';

/** Ids that count up: `batch_00000001`, in the order they were asked for; secrets of one repeated byte that counts up too. */
export class CountingIds implements Ids {
  #count = 0;

  next(kind: IdKind): string {
    this.#count++;
    return idPrefixes[kind] + String(this.#count).padStart(8, '0');
  }

  secret(length: number): Uint8Array {
    this.#count++;
    return new Uint8Array(length).fill(this.#count);
  }
}
