import { bounds } from '../../domain/bounds.js';
import { keys, type DueItem } from '../../domain/object-keys.js';
import type { ObjectStore, WriteOptions } from '../../ports/object-store.js';
import type { World } from '../world.js';

export type Remover = Pick<World, 'store' | 'clock' | 'log'>;

/** What comes of an entry: nothing more is to be done, or it is moved to a later time. */
export type Removal = 'done' | { readonly againMs: number; readonly sinceMs?: number };

/** What a look finds; or what is to be done once the inputs in use were looked up anew: see `close-input.ts`. */
export type Look = Removal | { readonly remove: () => Promise<Removal> };

/**
 * An entry is written before its object is deleted, so the object may still be as it was: it is looked at again now and then. null:
 * the call that wrote the entry is surely over.
 */
export const whileUnderWay = ({ sinceMs }: DueItem, nowMs: number): Removal | null =>
  nowMs < sinceMs + bounds.removalMarkMs ? { againMs: nowMs + bounds.removalRetryMs, sinceMs } : null;

/**
 * A tenant's agenda of removals: one empty object per thing that is to be looked at, named by time and id. A sweep reads it from
 * its front and stops at the first entry of the future, so its cost follows what is due, not what is stored. An entry is written
 * before the object that it is about, and says nothing about it: whoever sweeps asks the object itself.
 */
export async function putOnAgenda(
  store: ObjectStore,
  atMs: number,
  tenant: string,
  id: string,
  options?: WriteOptions,
): Promise<void> {
  await store.put(keys.due(atMs, tenant, id), Buffer.of(), options);
}

/** For an entry that is needed no more. Best effort: one that is left costs a look. */
export const takeFromAgenda = (
  { store }: Pick<World, 'store'>,
  atMs: number,
  tenant: string,
  id: string,
): Promise<void> => store.delete(keys.due(atMs, tenant, id)).catch(() => undefined);

/** For the records of what is to go: they find space on a full disk, too. */
export const forRemoval: WriteOptions = Object.freeze({ forRemoval: true });
