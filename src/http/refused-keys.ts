import { bounds } from '../domain/bounds.js';
import { takeToken } from '../domain/token-bucket.js';
import type { Clock } from '../ports/clock.js';

/** A whole network of version 6 belongs to whoever has one address of it. */
export const networkOf = (address: string): string =>
  address.includes(':') && !address.includes('.') ? address.split(':').slice(0, 4).join(':') : address;

/**
 * Who has sent many keys lately that were refused, by remote address. Valid keys do not count and are not refused, since many users
 * may share a proxy's address; no header is believed. The addresses that were refused longest ago are forgotten first.
 */
export class RefusedKeys {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #fullMs = new Map<string, number>();
  /** Keys that are being looked for, by network. */
  readonly #pending = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /**
   * Looks for a key by `find`, which returns null for one that is to be refused. `doubtful`: as many were refused, or may yet be, as
   * are let pass.
   */
  async find<T>(address: string, find: (doubtful: boolean) => Promise<T | null>): Promise<T | null> {
    const network = networkOf(address);
    const pending = this.#pending.get(network) ?? 0;
    this.#pending.set(network, pending + 1);
    try {
      const { taken, left } = this.#take(network);
      const found = await find(!taken || left < pending);
      if (found === null) this.#note(network);
      return found;
    } finally {
      const left = (this.#pending.get(network) ?? 1) - 1;
      if (left > 0) this.#pending.set(network, left);
      else this.#pending.delete(network);
    }
  }

  #note(network: string): void {
    const { fullMs } = this.#take(network);
    this.#fullMs.delete(network);
    this.#fullMs.set(network, fullMs);
    const [oldest] = this.#fullMs.keys();
    if (this.#fullMs.size > bounds.refusedAddressesMax && oldest !== undefined) this.#fullMs.delete(oldest);
  }

  #take(network: string) {
    return takeToken(this.#fullMs.get(network) ?? null, bounds.refusedKeysPerMinute, this.#clock.monotonic());
  }
}
