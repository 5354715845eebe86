import { bounds } from '../../domain/bounds.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { SharedRuns } from '../../domain/shared-runs.js';
import type { Clock } from '../../ports/clock.js';
import type { ObjectInfo, ObjectStore } from '../../ports/object-store.js';
import type { BatchRecords } from '../batch-records.js';
import { KeptValues } from '../kept-values.js';
import { listAll } from '../list-all.js';
import { sideBySide } from '../side-by-side.js';

interface Seen {
  /** By the monotonic clock: no later change is in it. */
  readonly sinceMs: number;
}

interface SeenList extends Seen {
  readonly markers: readonly ObjectInfo[];
}

/** Tokens by batch. */
interface SeenTokens extends Seen {
  readonly tokens: ReadonlyMap<string, number>;
}

const tenantsKeptMax = 1000;

/**
 * What the store says of tenants' open batches. A tenant may have a thousand of them, and each of its plans asks: an answer is given
 * again for a while, where the caller can do with that.
 */
export class OpenBatches {
  readonly #world: { readonly store: ObjectStore; readonly records: BatchRecords; readonly clock: Clock };
  readonly #lists = new KeptValues(tenantsKeptMax, bounds.recordsKeptMax);
  readonly #tokens = new KeptValues(tenantsKeptMax, bounds.recordsKeptMax);
  readonly #counts = new SharedRuns<SeenTokens>();

  constructor(world: { readonly store: ObjectStore; readonly records: BatchRecords; readonly clock: Clock }) {
    this.#world = world;
  }

  /**
   * Which of its tenant's open batches this is, in the order in which they were accepted, from 1; no more than
   * `bounds.crowdCountedMax` are looked at. Those that ended within `bounds.openListAgeMs` may be counted. A batch that is not there
   * yet is the last.
   */
  async rank(tenant: string, batchId: string | undefined): Promise<number> {
    const ownKey = batchId === undefined ? null : keys.openBatch(tenant, batchId);
    const isOwn = ({ key }: ObjectInfo): boolean => key === ownKey;
    const kept = this.#lists.get(tenant) as SeenList | undefined;
    const isUsed = kept && this.#isYoung(kept, bounds.openListAgeMs) && kept.markers.some(isOwn);
    const { markers } = isUsed ? kept : await this.#list(tenant);
    const own = markers.find(isOwn);
    if (!own) return markers.length + 1;
    // The list is in order of key.
    const after = markers.indexOf(own);
    return (
      1 +
      markers.filter(({ modifiedMs: ms }, at) => ms < own.modifiedMs || (ms === own.modifiedMs && at < after)).length
    );
  }

  /** Tokens of the tenant's planned batches that had not ended so long ago at most. */
  async tokensOf(tenant: string, ageMs: number): Promise<ReadonlyMap<string, number>> {
    const kept = this.#tokens.get(tenant) as SeenTokens | undefined;
    return kept && this.#isYoung(kept, ageMs) ? kept.tokens : this.tokensNow(tenant);
  }

  /** The same by reads that begin now. */
  async tokensNow(tenant: string): Promise<ReadonlyMap<string, number>> {
    return (await this.#counts.take(tenant, () => this.#count(tenant))).tokens;
  }

  #isYoung({ sinceMs }: Seen, ageMs: number): boolean {
    return this.#world.clock.monotonic() - sinceMs <= ageMs;
  }

  async #list(tenant: string): Promise<SeenList> {
    const { store, clock } = this.#world;
    const sinceMs = clock.monotonic();
    const { objects } = await store.list(keys.openBatchesOf(tenant), { limit: bounds.crowdCountedMax });
    const seen = { sinceMs, markers: objects };
    this.#lists.set(tenant, seen, 1 + objects.length);
    return seen;
  }

  async #count(tenant: string): Promise<SeenTokens> {
    const { store, records, clock } = this.#world;
    const sinceMs = clock.monotonic();
    const prefix = keys.openBatchesOf(tenant);
    const tokens = new Map<string, number>();
    await sideBySide(listAll(store, prefix), bounds.tokenReadsAtOnce, async ({ key }) => {
      const batchId = key.slice(prefix.length);
      if (!isId('batch', batchId)) return;
      const plan = await records.planHead(tenant, batchId);
      if (plan?.kind === 'work' && !(await records.manifest(tenant, batchId))) tokens.set(batchId, plan.tokens);
    });
    const seen = { sinceMs, tokens };
    this.#tokens.set(tenant, seen, 1 + tokens.size);
    return seen;
  }
}
