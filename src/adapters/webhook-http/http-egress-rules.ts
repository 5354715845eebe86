import type { EgressRules } from '../../ports/egress-rules.js';
import { bounds } from '../../domain/bounds.js';
import { EgressRefused, parseTarget } from './egress-rules.js';
import type { Names } from './names/name-lookup.js';
import { findAllowed } from './public-addresses.js';

export interface HttpEgressRulesOptions {
  /** For local mode: http, any port and private addresses are fine too, and names are not looked up beforehand. */
  readonly allowPrivate: boolean;
  readonly names: Names;
}

/** Says beforehand what `HttpWebhookSender` would refuse, so that a user learns of it at once. */
export class HttpEgressRules implements EgressRules {
  readonly #allowPrivate: boolean;
  readonly #names: Names;

  constructor({ allowPrivate, names }: HttpEgressRulesOptions) {
    this.#allowPrivate = allowPrivate;
    this.#names = names;
  }

  async refusalOf(tenant: string, url: string): Promise<string | null> {
    try {
      const target = parseTarget(url, this.#allowPrivate);
      if (!this.#allowPrivate) await findAllowed(this.#names, false, tenant, target, bounds.webhookLookupMs);
      return null;
    } catch (error) {
      if (error instanceof EgressRefused) return error.message;
      throw error;
    }
  }
}
