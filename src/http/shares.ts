import { FairShare, type FairShareRules } from '../app/fair/fair-share.js';
import type { World } from '../app/world.js';
import { bounds, type BoundName } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';

/** What the tenants of one API process share: each has places of its own, and waits for a while when they are taken. */
export interface ApiShares {
  /** Contents of files that are read. */
  readonly downloads: FairShare;
  /** Contents of which the first piece is read and verified. */
  readonly openings: FairShare;
  /** Files and parts that are sent. */
  readonly uploads: FairShare;
  /** JSON bodies in memory; a place is a byte. */
  readonly bodies: FairShare;
  /** Large bodies that are parsed and checked. */
  readonly parses: FairShare;
  /** Lists: many small calls of the store. */
  readonly lists: FairShare;
  /** Pages of results. */
  readonly results: FairShare;
}

export type ShareName = keyof ApiShares;

/** The bound of one tenant that a refusal names, and what it is a bound of. */
const limits: Readonly<Record<ShareName, { readonly bound: BoundName; readonly what: string }>> = {
  downloads: { bound: 'downloadsPerTenant', what: 'downloads are served at once' },
  openings: { bound: 'openingsPerTenant', what: 'downloads are begun at once' },
  uploads: { bound: 'uploadsPerTenant', what: 'uploads are taken at once' },
  bodies: { bound: 'bodyBytesPerTenant', what: 'bytes of request bodies are held at once' },
  parses: { bound: 'parsesPerTenant', what: 'large bodies are checked at once' },
  lists: { bound: 'listsPerTenant', what: 'lists are read at once' },
  results: { bound: 'resultsPerTenant', what: 'pages of results are served at once' },
};

/** Of calls that found no place in time, or too many others waiting for one. */
export function noPlace(name: ShareName): EyrieError {
  const { bound, what } = limits[name];
  return new EyrieError(
    'rate_limit_exceeded',
    `Too many calls at once: at most ${String(bounds[bound])} ${what} per tenant, and others wait already. Wait until some of them have ended, then try again.`,
    { bound },
  );
}

export function apiShares({ tenants }: Pick<World, 'tenants'>): ApiShares {
  const share = (
    name: ShareName,
    rules: Pick<FairShareRules, 'places' | 'placesPerTenant' | 'waitingPerTenant'>,
  ): FairShare => new FairShare({ ...rules, tenants, refusal: () => noPlace(name) });
  return {
    downloads: share('downloads', {
      places: bounds.downloadsMax,
      placesPerTenant: bounds.downloadsPerTenant,
      waitingPerTenant: bounds.downloadsWaitingMax,
    }),
    openings: share('openings', {
      places: bounds.openingsMax,
      placesPerTenant: bounds.openingsPerTenant,
      waitingPerTenant: bounds.openingsWaitingMax,
    }),
    uploads: share('uploads', {
      places: bounds.uploadsMax,
      placesPerTenant: bounds.uploadsPerTenant,
      waitingPerTenant: bounds.uploadsWaitingMax,
    }),
    bodies: share('bodies', {
      places: bounds.bodyBytesUnderWayMax,
      placesPerTenant: bounds.bodyBytesPerTenant,
      waitingPerTenant: bounds.bodiesWaitingMax,
    }),
    parses: share('parses', {
      places: bounds.parsesMax,
      placesPerTenant: bounds.parsesPerTenant,
      waitingPerTenant: bounds.bodiesWaitingMax,
    }),
    lists: share('lists', {
      places: bounds.listsMax,
      placesPerTenant: bounds.listsPerTenant,
      waitingPerTenant: bounds.listsWaitingMax,
    }),
    results: share('results', {
      places: bounds.resultsMax,
      placesPerTenant: bounds.resultsPerTenant,
      waitingPerTenant: bounds.resultsWaitingMax,
    }),
  };
}

/** Dry runs take the time of this process: few at once, one of a tenant, each with pauses. */
export const dryRunShare = ({ tenants }: Pick<World, 'tenants'>): FairShare =>
  new FairShare({
    places: bounds.dryRunsMax,
    placesPerTenant: 1,
    waitingPerTenant: bounds.dryRunsWaitingMax,
    tenants,
    refusal: () =>
      new EyrieError(
        'rate_limit_exceeded',
        `One of your dry runs is under way and ${bounds.dryRunsWaitingMax} wait, as many as are allowed. Try again when one has ended.`,
        { bound: 'dryRunsWaitingMax' },
      ),
  });
