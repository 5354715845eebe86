/** What a tenant may still ask for. Times are seconds. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  /** Until the whole limit is free again. */
  readonly resetSeconds: number;
  /** null: the request is within the limit. */
  readonly retryAfterSeconds: number | null;
}

/**
 * Requests per minute and tenant, in this process: a bucket that holds a minute's worth and fills steadily, so that a burst after
 * a pause is fine and a loop is not.
 */
export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  /** Counts one request at `nowMs` of a clock that never goes back. */
  take(tenant: string, perMinute: number, nowMs: number): RateState {
    const perMs = perMinute / 60_000;
    const bucket = this.#buckets.get(tenant) ?? { tokens: perMinute, atMs: nowMs };
    this.#buckets.set(tenant, bucket);
    bucket.tokens = Math.min(perMinute, bucket.tokens + (nowMs - bucket.atMs) * perMs);
    bucket.atMs = nowMs;
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    const secondsUntil = (tokens: number): number => Math.ceil((tokens - bucket.tokens) / perMs / 1000);
    return {
      limit: perMinute,
      remaining: Math.floor(bucket.tokens),
      resetSeconds: secondsUntil(perMinute),
      retryAfterSeconds: allowed ? null : secondsUntil(1),
    };
  }
}
