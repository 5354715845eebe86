import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { FairShare } from '../fair/fair-share.js';
import type { World } from '../world.js';

/** Shares the look-ups of receivers' names out among tenants. */
export const lookupShare = ({ tenants }: Pick<World, 'tenants'>): FairShare =>
  new FairShare({
    places: bounds.webhookLookups,
    placesPerTenant: bounds.webhookLookupsPerTenant,
    waitingPerTenant: bounds.webhookLookupsWaitingPerTenant,
    tenants,
    refusal: () =>
      new EyrieError(
        'rate_limit_exceeded',
        `${bounds.webhookLookupsPerTenant} names of webhook URLs are being looked up and ${bounds.webhookLookupsWaitingPerTenant} wait, and no more are allowed. Try again in a few seconds.`,
        { bound: 'webhookLookupsWaitingPerTenant' },
      ),
  });
