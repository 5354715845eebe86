import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore, WriteOptions } from '../../ports/object-store.js';
import type { World } from '../world.js';

export type Remover = Pick<World, 'store' | 'clock' | 'log'>;

/** An entry of the agenda that is due. */
export interface DueItem {
  readonly tenant: string;
  readonly id: string;
  readonly dueMs: number;
}

/** What comes of an entry: nothing more is to be done, it stays and is looked at by every sweep, or it is moved to a later time. */
export type Removal = 'done' | 'stays' | { readonly againMs: number };

/** What a look finds; or what is to be done once the inputs in use were looked up anew: see `close-input.ts`. */
export type Look = Removal | { readonly remove: () => Promise<Removal> };

/**
 * An entry is written before its object is deleted, so the object may still be as it was. The call that wrote the entry is surely
 * over after this.
 */
export const mayBeUnderWay = (dueMs: number, nowMs: number): boolean => nowMs < dueMs + bounds.removalMarkMs;

/**
 * The agenda of removals: one empty object per thing that is to be looked at, named by time, tenant and id. A sweep reads it from
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

/** For the records of what is to go: they find space on a full disk, too. */
export const forRemoval: WriteOptions = Object.freeze({ forRemoval: true });
