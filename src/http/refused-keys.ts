import { bounds } from '../domain/bounds.js';
import { takeToken } from '../domain/token-bucket.js';
import type { Clock } from '../ports/clock.js';

/** A whole network of version 6 belongs to whoever has one address of it. */
const networkOf = (address: string): string =>
  address.includes(':') && !address.includes('.') ? address.split(':').slice(0, 4).join(':') : address;

/**
 * Who has sent many keys lately that were refused, by remote address. Valid keys do not count and are not refused, since many users
 * may share a proxy's address; no header is believed. The addresses that were refused longest ago are forgotten first.
 */
export class RefusedKeys {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #fullMs = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Notes a refused key. */
  note(address: string): void {
    const network = networkOf(address);
    const { fullMs } = this.#take(network);
    this.#fullMs.delete(network);
    this.#fullMs.set(network, fullMs);
    const [oldest] = this.#fullMs.keys();
    if (this.#fullMs.size > bounds.refusedAddressesMax && oldest !== undefined) this.#fullMs.delete(oldest);
  }

  /** Whether more were refused than are let pass. */
  hasMany(address: string): boolean {
    return !this.#take(networkOf(address)).taken;
  }

  #take(network: string) {
    return takeToken(this.#fullMs.get(network) ?? null, bounds.refusedKeysPerMinute, this.#clock.monotonic());
  }
}
