import { setTimeout as sleep } from 'node:timers/promises';
import { toVerdict } from './s3-failure.js';

export interface RetrySettings {
  readonly attemptsMax: number;
  /** Pause before the second attempt; doubles with each, up to `pauseMsMax`, and a random part of it is waited. */
  readonly pauseMsBase: number;
  readonly pauseMsMax: number;
  /** For the answer to one attempt. */
  readonly attemptMsMax: number;
}

export const defaultRetrySettings: RetrySettings = Object.freeze({
  attemptsMax: 6,
  pauseMsBase: 100,
  pauseMsMax: 5000,
  attemptMsMax: 60_000,
});

export function pauseMs(attempt: number, { pauseMsBase, pauseMsMax }: RetrySettings): number {
  const full = Math.min(pauseMsMax, pauseMsBase * 2 ** (attempt - 1));
  // At least half, so that a store that asked to slow down is given time.
  return full * (0.5 + Math.random() / 2);
}

/**
 * Runs a call until it succeeds, fails for good, or has failed `attemptsMax` times. The signal that it gets ends an attempt that
 * hangs, or one that nobody needs any more: then `unneeded` is aborted.
 */
export async function withRetries<T>(
  settings: RetrySettings,
  call: (signal: AbortSignal) => Promise<T>,
  unneeded?: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const hanging = new AbortController();
    const timer = setTimeout(() => hanging.abort(), settings.attemptMsMax);
    try {
      return await call(unneeded ? AbortSignal.any([hanging.signal, unneeded]) : hanging.signal);
    } catch (error) {
      unneeded?.throwIfAborted();
      if (toVerdict(error) !== 'again' || attempt === settings.attemptsMax) throw error;
    } finally {
      clearTimeout(timer);
    }
    await sleep(pauseMs(attempt, settings));
  }
}
