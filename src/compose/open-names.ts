import { NameLookup } from '../adapters/webhook-http/names/name-lookup.js';
import { FairShare } from '../app/fair/fair-share.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { Tenants } from '../ports/tenants.js';

export interface NameSettings {
  readonly EYRIE_WEBHOOK_ALLOW_PRIVATE?: boolean | undefined;
  readonly EYRIE_DNS_SERVERS?: readonly string[] | undefined;
}

export interface WebhookNames {
  readonly lookup: NameLookup;
  readonly places: FairShare;
}

const tooMany = (): EyrieError =>
  new EyrieError(
    'rate_limit_exceeded',
    `${bounds.webhookLookupsPerTenant} names of webhook URLs are being looked up and ${bounds.webhookLookupsWaitingPerTenant} wait, and no more are allowed. Try again in a few seconds.`,
    { bound: 'webhookLookupsWaitingPerTenant' },
  );

/** How the names of webhooks' receivers are looked up: shared out by tenant, each within its time. */
export function openNames(settings: NameSettings, tenants: Pick<Tenants, 'weight'>): WebhookNames {
  const places = new FairShare({
    places: bounds.webhookLookups,
    placesPerTenant: bounds.webhookLookupsPerTenant,
    waitingPerTenant: bounds.webhookLookupsWaitingPerTenant,
    weightOf: (tenant) => tenants.weight(tenant),
    refusal: tooMany,
  });
  const lookup = new NameLookup({
    places,
    servers: settings.EYRIE_DNS_SERVERS ?? null,
    search: settings.EYRIE_WEBHOOK_ALLOW_PRIVATE ?? false,
  });
  return { lookup, places };
}
