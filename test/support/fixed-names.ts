import { isIP } from 'node:net';
import { NameFailed } from '../../src/adapters/webhook-http/names/ask-servers.js';
import type { FoundName, Names } from '../../src/adapters/webhook-http/names/name-lookup.js';

/** Every name has these addresses; a literal is itself. */
export class FixedNames implements Names {
  readonly #addresses: readonly string[];
  readonly asked: string[] = [];

  constructor(...addresses: string[]) {
    this.#addresses = addresses;
  }

  find(_tenant: string, name: string): Promise<FoundName> {
    this.asked.push(name);
    const addresses = isIP(name) === 0 ? this.#addresses : [name];
    if (addresses.length === 0) return Promise.reject(new NameFailed('ENOTFOUND'));
    return Promise.resolve({ addresses: addresses.map((address) => ({ address, family: isIP(address) })), ms: 0 });
  }
}
