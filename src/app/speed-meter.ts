import type { Clock } from '../ports/clock.js';
import type { Engine } from '../ports/engine.js';

/** Useful tokens per second of an engine, over the time it was working; smoothed, so that a pause does not look like a slow GPU. */
export class SpeedMeter {
  readonly #engine: Pick<Engine, 'totals'>;
  readonly #clock: Clock;
  #tokens = 0;
  #ms: number;
  #smoothed = 0;

  constructor(engine: Pick<Engine, 'totals'>, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
    this.#ms = clock.monotonic();
  }

  /** Takes the time since the last call into account; returns 0 until anything was generated. */
  read(): number {
    const { promptTokens, generatedTokens } = this.#engine.totals();
    const tokens = promptTokens + generatedTokens;
    const ms = this.#clock.monotonic();
    const passed = ms - this.#ms;
    if (tokens > this.#tokens && passed > 0) {
      const rate = ((tokens - this.#tokens) / passed) * 1000;
      this.#smoothed = this.#smoothed === 0 ? rate : 0.8 * this.#smoothed + 0.2 * rate;
    }
    this.#tokens = tokens;
    this.#ms = ms;
    return this.#smoothed;
  }
}
