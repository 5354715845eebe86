import type { QuickShared } from '../app/quotas/quick-shared.js';
import { takeToken, type TokenTake } from '../domain/token-bucket.js';
import type { Clock } from '../ports/clock.js';

/** What a tenant may still ask for. Times are seconds. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  /** Until the whole limit is free again. */
  readonly resetSeconds: number;
  /** null: the request is within the limit. */
  readonly retryAfterSeconds: number | null;
}

function toRateState(perMinute: number, { taken, left }: Pick<TokenTake, 'taken' | 'left'>): RateState {
  const secondsUntil = (tokens: number): number => Math.ceil(((tokens - left) * 60) / perMinute - 1e-6);
  return {
    limit: perMinute,
    remaining: Math.floor(left + 1e-6),
    resetSeconds: secondsUntil(perMinute),
    retryAfterSeconds: taken ? null : Math.max(1, secondsUntil(1)),
  };
}

/** Requests per minute and tenant, counted in this process alone: the fallback while Redis is away. */
export class RateLimit {
  readonly #fullMs = new Map<string, number>();

  /** Counts one request at `nowMs` of a clock that never goes back. */
  take(tenant: string, perMinute: number, nowMs: number): RateState {
    const take = takeToken(this.#fullMs.get(tenant) ?? null, perMinute, nowMs);
    this.#fullMs.set(tenant, take.fullMs);
    return toRateState(perMinute, take);
  }
}

/**
 * Requests per minute and tenant, in the whole installation. While Redis is away each process gives the whole limit by itself: its
 * outage then lets a tenant ask more often for a while, rather than refusing requests that were within the limit.
 */
export class SharedRateLimit {
  readonly #shared: QuickShared;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #alone = new RateLimit();

  constructor(shared: QuickShared, clock: Pick<Clock, 'monotonic'>) {
    this.#shared = shared;
    this.#clock = clock;
  }

  /** Counts one request. */
  async take(tenant: string, perMinute: number): Promise<RateState> {
    const take = await this.#shared.ask((shared) => shared.takeToken(`requests:${tenant}`, perMinute));
    return take ? toRateState(perMinute, take) : this.#alone.take(tenant, perMinute, this.#clock.monotonic());
  }
}
