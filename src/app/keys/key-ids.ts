import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { listAll } from '../list-all.js';
import type { World } from '../world.js';

/** An API key's object by its name; its companions are passed over. */
const keyIdIn = (objectKey: string): string | null => /^keys\/([^/]+)\/key\.json$/.exec(objectKey)?.[1] ?? null;

/**
 * Tells for many ids at once whether there is such a key, by listing all keys. Whoever asks waits for a listing that began later, so
 * a key that was made just before is found; all who wait share it. What this costs the store does not depend on how many ask: a
 * listing begins `bounds.keysListedMs` after the last one at the earliest, and all of them take a tenth of the time at most.
 */
export class KeyIds {
  readonly #world: Pick<World, 'store' | 'clock'>;
  #next: Promise<ReadonlySet<string>> | null = null;
  #last: Promise<unknown> = Promise.resolve();
  /** By the monotonic clock. */
  #restUntilMs = -Infinity;

  constructor(world: Pick<World, 'store' | 'clock'>) {
    this.#world = world;
  }

  async has(keyId: string): Promise<boolean> {
    this.#next ??= this.#list();
    return (await this.#next).has(keyId);
  }

  #list(): Promise<ReadonlySet<string>> {
    const { clock } = this.#world;
    const before = this.#last;
    const listing = (async () => {
      await before;
      const restMs = this.#restUntilMs - clock.monotonic();
      if (restMs > 0) await clock.sleep(restMs);
      // From here on, whoever asks needs another one.
      this.#next = null;
      const began = clock.monotonic();
      try {
        return await this.#all();
      } finally {
        const ended = clock.monotonic();
        this.#restUntilMs = Math.max(began + bounds.keysListedMs, ended + 9 * (ended - began));
      }
    })();
    this.#last = listing.catch(() => undefined);
    return listing;
  }

  async #all(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for await (const { key } of listAll(this.#world.store, keys.apiKeys)) {
      const id = keyIdIn(key);
      if (id !== null) found.add(id);
    }
    return found;
  }
}
