/** How fast the other side must be while it is waited for. */
export interface LeastRate {
  readonly bytesPerSecondMin: number;
  /** Length of a window. Nothing is demanded before the first one has passed. */
  readonly graceMs: number;
}

/**
 * A rate that is demanded in every window of time, not as a mean since the start: what was fast once pays for no silence later. The
 * window slides by ticks of `tickMs`; only time that is reported with `tick` counts, so the clock stands still while the service itself
 * is what holds things up.
 */
export class RateWindow {
  readonly #demandedBytes: number;
  /** Bytes of the last ticks, a ring. */
  readonly #moved: Float64Array;
  #ticks = 0;
  #sum = 0;

  constructor({ bytesPerSecondMin, graceMs }: LeastRate, tickMs: number) {
    this.#demandedBytes = (bytesPerSecondMin * graceMs) / 1000;
    this.#moved = new Float64Array(Math.max(1, Math.ceil(graceMs / tickMs)));
  }

  /** A tick in which the other side was waited for, and the bytes that it moved since the one before. Whether it is too slow. */
  tick(movedBytes: number): boolean {
    const at = this.#ticks++ % this.#moved.length;
    this.#sum += movedBytes - (this.#moved[at] ?? 0);
    this.#moved[at] = movedBytes;
    return this.#ticks >= this.#moved.length && this.#sum < this.#demandedBytes;
  }
}
