import { bounds } from '../../domain/bounds.js';
import type { ErrorCode } from '../../domain/errors.js';
import type { Clock } from '../../ports/clock.js';
import type { ObjectStore } from '../../ports/object-store.js';
import type { Tenants } from '../../ports/tenants.js';
import type { Refusals } from '../fair/refusals.js';
import { countResults } from './count-results.js';
import type { QuickShared } from './quick-shared.js';
import { StoredUsage } from './stored-usage.js';

interface ResultsWorld {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly tenants: Tenants;
  readonly quickShared: QuickShared;
  readonly refusals: Refusals;
}

/**
 * Holds a tenant's stored results below its quota, by the bytes that are there: what a batch will write is not known before, and its
 * most is far above what it does. So a batch is planned, and each of its shards begun, as long as there is room. The quota is passed
 * by the shards that are under way at that moment, at most.
 */
export class ResultsQuota {
  readonly #world: ResultsWorld;
  readonly #usage: StoredUsage<'bytes'>;

  constructor(world: ResultsWorld) {
    this.#world = world;
    this.#usage = new StoredUsage(world, {
      names: { bytes: 'results' },
      count: async (tenant) => ({ bytes: await countResults(world.store, tenant) }),
    });
  }

  /** Why no more results may be made; null while there is room. */
  async usedUp(tenant: string): Promise<{ readonly code: ErrorCode; readonly message: string } | null> {
    const { tenants, refusals } = this.#world;
    const { resultsBytes } = tenants.quotas(tenant);
    if (resultsBytes === null) return null;
    const hasRoom = ({ bytes }: { readonly bytes: number }): boolean => bytes < resultsBytes;
    const used = async (recountMs: number): Promise<number> =>
      (await this.#usage.tell(tenant, this.#usage.newIntake(), { bytes: 0 }, recountMs, hasRoom)).bytes;
    if ((await used(bounds.resultsCountedMs)) < resultsBytes) return null;
    // Some may have been deleted since.
    const now = await used(bounds.filesCountedMs);
    if (now < resultsBytes) return null;
    refusals.note(tenant, 'resultsBytesDefault');
    return {
      code: 'insufficient_quota',
      message: `Results take ${now} of ${resultsBytes} bytes already. Delete result files that are not needed any more, and run this again.`,
    };
  }

  /** Tells of the part of a shard that was stored: its bytes, and as many of the result file that is made of it. */
  async add(tenant: string, partBytes: number): Promise<void> {
    if (this.#world.tenants.quotas(tenant).resultsBytes !== null)
      await this.#usage.note(tenant, this.#usage.newIntake(), { bytes: 2 * partBytes });
  }
}
