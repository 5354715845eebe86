import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { FairShare } from '../fair/fair-share.js';
import type { World } from '../world.js';

/**
 * Changes of one tenant's endpoints, and its replays, are made one after the other in a process: what is counted before a write is
 * still true at the write, and updates of one endpoint do not overtake each other all the time.
 */
export const changeShare = ({ tenants }: Pick<World, 'tenants'>): FairShare =>
  new FairShare({
    places: bounds.webhookChanges,
    placesPerTenant: 1,
    waitingPerTenant: bounds.webhookChangesWaitingPerTenant,
    tenants,
    refusal: () =>
      new EyrieError(
        'rate_limit_exceeded',
        `${bounds.webhookChangesWaitingPerTenant} changes of webhook endpoints wait, and no more are allowed. Try again in a few seconds.`,
        { bound: 'webhookChangesWaitingPerTenant' },
      ),
  });
