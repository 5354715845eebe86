import type { Quotas } from '../domain/quotas.js';

/** A receiver of events. */
export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
}

/** What is known of tenants beside their batches. */
export interface Tenants {
  /** The tenant an API key belongs to, or null. Takes the same time for every key. */
  tenantOfKey(apiKey: string): Promise<string | null>;
  /** The same as far as it is known without waiting. Its time tells nothing of a key either. */
  knownTenantOfKey(apiKey: string): string | null;
  /** Endpoints that receive every batch's events. */
  webhookEndpoints(tenant: string): Promise<readonly WebhookEndpoint[]>;
  /** Secrets (`whsec_…`) that sign a tenant's webhooks; more than one while a secret is being replaced. */
  signingSecrets(tenant: string): Promise<readonly string[]>;
  /** What it may take up; for an unknown tenant the defaults. */
  quotas(tenant: string): Quotas;
  /** Its share of what tenants share, against others that wait for it too; for an unknown tenant `weightDefault`. */
  weight(tenant: string): number;
  /** Tenants whose inbox is watched. */
  inboxTenants(): readonly string[];
}
