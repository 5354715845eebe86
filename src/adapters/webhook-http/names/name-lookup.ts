import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { bounds } from '../../../domain/bounds.js';
import { askServers, NameFailed } from './ask-servers.js';
import { FailingNames } from './failing-names.js';
import { HostsFile } from './hosts-file.js';
import { candidates, readSearchList } from './search-list.js';

export interface FoundName {
  readonly addresses: readonly LookupAddress[];
  /** What the look-up took, without the wait for a place. */
  readonly ms: number;
}

/**
 * How names are looked up: in `withinMs` once the look-up has a place. Throws `NameFailed`; rejects as `places` does when the tenant
 * has too many look-ups under way.
 */
export interface Names {
  find(tenant: string, name: string, withinMs: number): Promise<FoundName>;
}

/** Shares look-ups out among tenants. What `enter` gives leaves the place. */
export interface LookupPlaces {
  enter(tenant: string): Promise<() => void>;
}

export interface NameLookupOptions {
  /** `address:port` of name servers; null: those of the system. */
  readonly servers: readonly string[] | null;
  /** Names that are not complete are tried in the system's search domains, and `*.localhost` is this machine. */
  readonly search: boolean;
  readonly hosts?: Pick<HostsFile, 'addresses'>;
}

const loopback: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * Looks names up with sockets of its own instead of getaddrinfo, which has few threads for the whole program and cannot be
 * cancelled. Nothing that was found is kept: each connection goes to the addresses of its own look-up.
 */
export class NameLookup implements Names {
  readonly #options: NameLookupOptions;
  readonly #hosts: Pick<HostsFile, 'addresses'>;
  readonly #failing = new FailingNames();
  #places: LookupPlaces = { enter: () => Promise.resolve(() => undefined) };

  constructor(options: NameLookupOptions) {
    this.#options = options;
    this.#hosts = options.hosts ?? new HostsFile();
  }

  /** From then on look-ups wait for their places. */
  shareOut(places: LookupPlaces): void {
    this.#places = places;
  }

  async find(tenant: string, name: string, withinMs: number): Promise<FoundName> {
    if (isIP(name) !== 0) return { addresses: [{ address: name, family: isIP(name) }], ms: 0 };
    const known = await this.#hosts.addresses(name.replace(/\.$/, ''));
    if (known.length > 0) return { addresses: known.map((address) => ({ address, family: isIP(address) })), ms: 0 };
    if (this.#options.search && /(^|\.)localhost\.?$/i.test(name)) return { addresses: loopback, ms: 0 };
    if (this.#failing.has(tenant, name)) throw new NameFailed('ETIMEOUT');
    const leave = await this.#places.enter(tenant);
    const started = performance.now();
    try {
      // One that waited may have waited for a look-up of the same name.
      if (this.#failing.has(tenant, name)) throw new NameFailed('ETIMEOUT');
      const addresses = await this.#ask(name, withinMs);
      this.#failing.remove(tenant, name);
      return { addresses, ms: performance.now() - started };
    } catch (error) {
      if (error instanceof NameFailed && error.code === 'ETIMEOUT') this.#failing.add(tenant, name);
      throw error;
    } finally {
      leave();
    }
  }

  async #ask(name: string, withinMs: number): Promise<readonly LookupAddress[]> {
    const until = AbortSignal.timeout(Math.min(withinMs, bounds.webhookLookupMs));
    let failure = new NameFailed('ENOTFOUND');
    for (const complete of this.#options.search ? candidates(name, await readSearchList()) : [name])
      try {
        return await askServers(complete, this.#options.servers, until);
      } catch (error) {
        if (!(error instanceof NameFailed) || error.code === 'ETIMEOUT') throw error;
        failure = error;
      }
    throw failure;
  }
}
