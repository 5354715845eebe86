import { timingSafeEqual } from 'node:crypto';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { isTenant } from '../../domain/object-keys.js';
import { defaultQuotas, type Quotas } from '../../domain/quotas.js';
import type { Tenants, WebhookEndpoint } from '../../ports/tenants.js';
import { keyDigest } from './key-digest.js';

export interface StaticTenant {
  readonly tenant: string;
  /** `keyDigest` of each of its API keys. */
  readonly keyDigests: readonly string[];
  readonly endpoints: readonly WebhookEndpoint[];
  /** `whsec_` and base64 of 24 to 64 bytes; the first signs first. */
  readonly signingSecrets: readonly string[];
  readonly watchInbox: boolean;
  /** Share against other tenants; absent: `weightDefault`. */
  readonly weight?: number | undefined;
  /** Those that are absent have their defaults. */
  readonly quotas?: { readonly [name in keyof Quotas]?: number | null | undefined } | undefined;
}

export interface StaticTenantsOptions {
  /** Secret under which the key digests were made. */
  readonly pepper: string;
  readonly tenants: readonly StaticTenant[];
}

const digestPattern = /^[0-9a-f]{64}$/;
const secretPattern = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/;

function invalid(param: string, value: string, allowed: string): EyrieError {
  return new EyrieError('config_invalid', `Invalid value for '${param}': ${value}. ${allowed}`, { param });
}

function check({ tenants }: StaticTenantsOptions): void {
  const names = new Set<string>();
  for (const [i, { tenant, keyDigests, signingSecrets }] of tenants.entries()) {
    const at = `tenants[${i}]`;
    if (!isTenant(tenant))
      throw invalid(
        `${at}.tenant`,
        JSON.stringify(tenant.slice(0, 70)),
        'Lower-case letters, digits, _ and - are allowed.',
      );
    if (names.has(tenant)) throw invalid(`${at}.tenant`, JSON.stringify(tenant), 'Each tenant may be named once.');
    names.add(tenant);
    // Values are not shown: a key or secret in the wrong place must not reach a log.
    if (!keyDigests.every((digest) => digestPattern.test(digest)))
      throw invalid(
        `${at}.keyDigests`,
        'one is no digest',
        '64 hex digits are expected; a digest is made from a key by keyDigest.',
      );
    if (!signingSecrets.every((secret) => secretPattern.test(secret)))
      throw invalid(`${at}.signingSecrets`, 'one is no secret', "'whsec_' and base64 of 24 to 64 bytes is expected.");
  }
}

/** Tenants that are named in the configuration. */
export class StaticTenants implements Tenants {
  readonly #pepper: string;
  readonly #tenants: ReadonlyMap<string, StaticTenant>;
  readonly #digests: readonly { readonly digest: Buffer; readonly tenant: string }[];
  readonly #tenantOfDigest = new Map<string, string>();

  /** Throws `config_invalid`. */
  constructor(options: StaticTenantsOptions) {
    check(options);
    this.#pepper = options.pepper;
    this.#tenants = new Map(options.tenants.map((tenant) => [tenant.tenant, tenant]));
    this.#digests = options.tenants.flatMap(({ tenant, keyDigests }) =>
      keyDigests.map((hex) => ({ digest: Buffer.from(hex, 'hex'), tenant })),
    );
    for (const { tenant, keyDigests } of options.tenants)
      for (const hex of keyDigests) if (!this.#tenantOfDigest.has(hex)) this.#tenantOfDigest.set(hex, tenant);
  }

  /** Found by its digest, of which nobody without the pepper can choose a single digit. */
  knownTenantOfKey(apiKey: string): string | null {
    return this.#tenantOfDigest.get(keyDigest(this.#pepper, apiKey)) ?? null;
  }

  tenantOfKey(apiKey: string): Promise<string | null> {
    const digest = Buffer.from(keyDigest(this.#pepper, apiKey), 'hex');
    let found: string | null = null;
    // Every digest is compared, whether or not one has matched.
    for (const known of this.#digests) if (timingSafeEqual(known.digest, digest)) found ??= known.tenant;
    return Promise.resolve(found);
  }

  webhookEndpoints(tenant: string): Promise<readonly WebhookEndpoint[]> {
    return Promise.resolve(this.#tenants.get(tenant)?.endpoints ?? []);
  }

  signingSecrets(tenant: string): Promise<readonly string[]> {
    return Promise.resolve(this.#tenants.get(tenant)?.signingSecrets ?? []);
  }

  quotas(tenant: string): Quotas {
    const own = this.#tenants.get(tenant)?.quotas ?? {};
    const given = Object.entries(own).filter(([, limit]) => limit !== undefined);
    return { ...defaultQuotas, ...Object.fromEntries(given) };
  }

  weight(tenant: string): number {
    return this.#tenants.get(tenant)?.weight ?? bounds.weightDefault;
  }

  inboxTenants(): readonly string[] {
    return [...this.#tenants.values()].filter(({ watchInbox }) => watchInbox).map(({ tenant }) => tenant);
  }
}
