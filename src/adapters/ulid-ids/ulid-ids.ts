import { randomBytes, randomFillSync } from 'node:crypto';
import { monotonicFactory } from 'ulid';
import { idPrefixes, type IdKind } from '../../domain/ids.js';
import type { Ids } from '../../ports/ids.js';

/** Random bytes are fetched in stock: a call for each one would cost more than all the rest of an id. */
const stock = Buffer.alloc(4096);
let used = stock.length;

/** A number in [0, 1) with 8 random bits: the 5 bits of a ULID digit are taken from it without bias. */
function randomByte(): number {
  if (used === stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  return (stock[used++] ?? 0) / 256;
}

/** Ids are a prefix and a lower-case ULID: 48 bits of time in ms, 80 random bits, counted up within one ms. */
export class UlidIds implements Ids {
  readonly #ulid = monotonicFactory(randomByte);
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  next(kind: IdKind): string {
    return idPrefixes[kind] + this.#ulid(this.#now()).toLowerCase();
  }

  secret(length: number): Uint8Array {
    return randomBytes(length);
  }
}
