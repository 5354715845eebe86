import type { Log } from '../../ports/log.js';
import { reasonOf } from './redis/reason-of.js';

const quietMs = 10_000;

/** Logs repeated errors of a connection at a bounded rate: an outage gives one line per 10 s, not one per retry. */
export class SampledErrors {
  readonly #log: Log;
  readonly #event: string;
  readonly #source: string;
  #mutedUntil = 0;
  #muted = 0;

  constructor(log: Log, event: string, source: string) {
    this.#log = log;
    this.#event = event;
    this.#source = source;
  }

  readonly note = (error: unknown): void => {
    const now = performance.now();
    if (now < this.#mutedUntil) {
      this.#muted++;
      return;
    }
    this.#log.warn(this.#event, {
      source: this.#source,
      reason: reasonOf(error),
      muted: this.#muted,
    });
    this.#mutedUntil = now + quietMs;
    this.#muted = 0;
  };
}
