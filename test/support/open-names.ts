import { NameLookup } from '../../src/adapters/webhook-http/names/name-lookup.js';
import type { FairShare } from '../../src/app/fair/fair-share.js';
import { lookupShare } from '../../src/app/webhooks/lookup-share.js';
import { fakeWorld } from './fake-world.js';

/** Look-ups that ask this name server alone, shared out as the programs do it. */
export function openNames(server: string): { readonly lookup: NameLookup; readonly places: FairShare } {
  const lookup = new NameLookup({ servers: [server], search: false });
  const places = lookupShare(fakeWorld());
  lookup.shareOut(places);
  return { lookup, places };
}
