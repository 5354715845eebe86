import { lookup as systemLookup } from 'node:dns';
import type { EgressRules } from '../../ports/egress-rules.js';
import { EgressRefused, isPublicAddress, parseTarget } from './egress-rules.js';
import type { LookupAll } from './guarded-lookup.js';

export interface HttpEgressRulesOptions {
  /** For local mode: http, any port and private addresses are fine too. */
  readonly allowPrivate: boolean;
  /** How names are looked up; default: as the system does. */
  readonly lookup?: LookupAll;
  /** A name that takes longer is let through, and looked up again when it is sent to. */
  readonly lookupMs?: number;
}

/** Says beforehand what `HttpWebhookSender` would refuse, so that a user learns of it at once. */
export class HttpEgressRules implements EgressRules {
  readonly #allowPrivate: boolean;
  readonly #lookup: LookupAll;
  readonly #lookupMs: number;

  constructor({ allowPrivate, lookup = systemLookup, lookupMs = 3000 }: HttpEgressRulesOptions) {
    this.#allowPrivate = allowPrivate;
    this.#lookup = lookup;
    this.#lookupMs = lookupMs;
  }

  async refusalOf(url: string): Promise<string | null> {
    try {
      const { hostname } = parseTarget(url, this.#allowPrivate);
      if (this.#allowPrivate) return null;
      return (await this.#isRefused(hostname)) ? 'address not allowed' : null;
    } catch (error) {
      if (error instanceof EgressRefused) return error.message;
      throw error;
    }
  }

  /** An IP literal was checked by `parseTarget`; looking it up gives itself. */
  #isRefused(hostname: string): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), this.#lookupMs);
      this.#lookup(hostname.replace(/^\[(.*)\]$/, '$1'), { all: true }, (error, addresses) => {
        clearTimeout(timer);
        resolve(!error && addresses.some(({ address }) => !isPublicAddress(address)));
      });
    });
  }
}
