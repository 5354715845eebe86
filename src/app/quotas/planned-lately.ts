import { bounds } from '../../domain/bounds.js';
import type { Clock } from '../../ports/clock.js';
import type { Ids } from '../../ports/ids.js';
import type { QuickShared } from './quick-shared.js';

interface Bucket {
  readonly id: string;
  readonly endsMs: number;
  tokens: number;
  /** Its entry in Redis. */
  claimId: string | null;
}

export interface PlanNote {
  /** Tokens of all other plans of late, of all processes; null while Redis is away. */
  readonly others: number | null;
  /** To be called when the plan is written. */
  readonly written: () => Promise<void>;
  /** To be called when it will not be. */
  readonly dropped: () => void;
}

/**
 * Tokens that were planned of late, in Redis: what an older count has not seen. A plan is noted before it is written, and stays noted
 * for longer than a count is used. A process adds up the plans of a few seconds in one entry, so that a note reads a handful of
 * entries, however many plans there are.
 */
export class PlannedLately {
  readonly #world: { readonly clock: Clock; readonly ids: Ids; readonly quickShared: QuickShared };
  readonly #buckets = new Map<string, Bucket>();

  constructor(world: { readonly clock: Clock; readonly ids: Ids; readonly quickShared: QuickShared }) {
    this.#world = world;
  }

  async note(tenant: string, tokens: number): Promise<PlanNote> {
    const bucket = this.#bucketOf(tenant);
    bucket.tokens += tokens;
    const others = await this.#enter(tenant, bucket);
    return {
      others: others === null ? null : others - tokens,
      // In another bucket it is noted once more: too much is counted for a while, never too little.
      written: async () => {
        const now = this.#bucketOf(tenant);
        if (now === bucket) return;
        now.tokens += tokens;
        await this.#enter(tenant, now);
      },
      dropped: () => {
        bucket.tokens -= tokens;
      },
    };
  }

  #bucketOf(tenant: string): Bucket {
    const { clock, ids } = this.#world;
    const nowMs = clock.monotonic();
    let bucket = this.#buckets.get(tenant);
    if (!bucket || nowMs >= bucket.endsMs) {
      bucket = { id: ids.next('request'), endsMs: nowMs + bounds.plannedBucketMs, tokens: 0, claimId: null };
      this.#buckets.set(tenant, bucket);
    }
    return bucket;
  }

  /** Replaces the bucket's entry by one with its tokens of now. Gives the tokens of all buckets. */
  async #enter(tenant: string, bucket: Bucket): Promise<number | null> {
    const { ids, quickShared } = this.#world;
    const name = `planned:${tenant}`;
    const { id, tokens, claimId: before } = bucket;
    // A new one each time: a claim gives those that were made before it.
    const claimId = ids.next('request');
    bucket.claimId = claimId;
    const earlier = await quickShared.ask((shared) =>
      shared.claim(name, { claimId, id, amount: tokens }, bounds.plannedKeptMs),
    );
    if (before !== null) await quickShared.ask((shared) => shared.unclaim(name, before));
    if (earlier === null) return null;
    let sum = 0;
    for (const amount of new Map([...earlier.map((entry) => [entry.id, entry.amount] as const), [id, tokens]]).values())
      sum += amount;
    return sum;
  }
}
