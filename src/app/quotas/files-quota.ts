import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import type { World } from '../world.js';

interface Usage {
  readonly countedMs: number;
  readonly stored: Promise<number>;
  /** Bytes that came in through this process since the count. */
  added: number;
}

/** Bytes of the tenant's uploaded files that are not deleted. */
async function countStored(store: ObjectStore, tenant: string): Promise<number> {
  const prefix = keys.files(tenant);
  let bytes = 0;
  /** The content seen last: a tombstone of the same file sorts right behind it. */
  let last = { file: '', bytes: 0 };
  let after: string | null = null;
  do {
    const page = await store.list(prefix, after === null ? {} : { after });
    for (const { key, bytes: size } of page.objects) {
      const [file = '', name] = key.slice(prefix.length).split('/');
      if (name === 'content') {
        last = { file, bytes: size };
        bytes += size;
      } else if (name === 'deleted.json' && last.file === file) bytes -= last.bytes;
    }
    after = page.next;
  } while (after !== null);
  return bytes;
}

/**
 * How many bytes of files a tenant may still store. What lies in the store is counted once a minute, what this process takes in is
 * added to it at once; uploads through other processes are seen by the next count.
 */
export class FilesQuota {
  readonly #world: Pick<World, 'store' | 'clock' | 'tenants'>;
  readonly #usage = new Map<string, Usage>();

  constructor(world: Pick<World, 'store' | 'clock' | 'tenants'>) {
    this.#world = world;
  }

  /** Throws `insufficient_quota` when so many bytes more would be too many. */
  async check(tenant: string, bytes: number): Promise<void> {
    const { filesBytes } = this.#world.tenants.quotas(tenant);
    if (filesBytes === null) return;
    const usage = this.#current(tenant);
    const used = (await usage.stored) + usage.added;
    if (used + bytes > filesBytes)
      throw new EyrieError(
        'insufficient_quota',
        `Files take ${used} of ${filesBytes} bytes already. Delete files that are not needed any more.`,
      );
  }

  /** The content, counted while it passes. Throws `insufficient_quota` in its middle; then none of it counts. */
  async *metered(tenant: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    await this.check(tenant, 1);
    const usage = this.#current(tenant);
    let taken = 0;
    try {
      for await (const chunk of content) {
        taken += chunk.length;
        usage.added += chunk.length;
        await this.check(tenant, 0);
        yield chunk;
      }
      taken = 0;
    } finally {
      usage.added -= taken;
    }
  }

  #current(tenant: string): Usage {
    const now = this.#world.clock.monotonic();
    const known = this.#usage.get(tenant);
    if (known && now - known.countedMs < bounds.filesCountedMs) return known;
    const usage: Usage = { countedMs: now, stored: countStored(this.#world.store, tenant), added: 0 };
    this.#usage.set(tenant, usage);
    usage.stored.catch(() => {
      if (this.#usage.get(tenant) === usage) this.#usage.delete(tenant);
    });
    return usage;
  }
}
