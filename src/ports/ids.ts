import type { IdKind } from '../domain/ids.js';

/** What nobody may guess: ids and secrets, from a cryptographic random source. */
export interface Ids {
  /** A new id. Ids sort by the time of their making. */
  next(kind: IdKind): string;
  /** `length` fresh random bytes. */
  secret(length: number): Uint8Array;
}
