import type { IdKind } from '../domain/ids.js';

/** New ids: sortable by time of making, from a cryptographic random source. */
export interface Ids {
  next(kind: IdKind): string;
}
