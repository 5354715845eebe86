export interface Clock {
  /** Unix time in ms. */
  now(): number;
  /** Ms since some fixed point; never goes back. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves when all that waited for this event loop, sockets and timers too, has had its turn. */
  turn(): Promise<void>;
}
