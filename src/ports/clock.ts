export interface Clock {
  /** Unix time in ms. */
  now(): number;
  /** Ms since some fixed point; never goes back. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
