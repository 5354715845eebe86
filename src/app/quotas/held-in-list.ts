import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';
import type { Held } from './claims.js';

/**
 * The things that a list of the store has an entry for, one unit each, by the name of their entry below the prefix; no more than are
 * needed to see that a limit is used up.
 */
export async function heldInList(
  store: ObjectStore,
  prefix: string,
  limit: number,
  idOf: (name: string) => string = (name) => name,
): Promise<Held> {
  const held = new Map<string, number>();
  for await (const { key } of listAll(store, prefix)) {
    held.set(idOf(key.slice(prefix.length)), 1);
    // One more than the limit: one of them may be the thing itself.
    if (held.size > limit) break;
  }
  return held;
}
