import type { LookupAddress } from 'node:dns';
import { bounds } from '../../domain/bounds.js';
import { EgressRefused, isPublicAddress } from './egress-rules.js';
import { NameFailed } from './names/ask-servers.js';
import type { FoundName, Names } from './names/name-lookup.js';

/**
 * One text for a name that does not exist, one that cannot be looked up and one whose address is private: which names exist inside
 * the operator's network is nobody else's business.
 */
export const noPublicAddress = 'the name has no public address, or cannot be looked up now';

/**
 * Looks a target's name up. Unless private addresses are allowed every address has to be public, also those that the connection
 * would not be tried to. Throws `EgressRefused`, `NameFailed`.
 */
export async function findAllowed(
  names: Names,
  allowPrivate: boolean,
  tenant: string,
  { hostname }: URL,
  withinMs: number,
): Promise<FoundName> {
  const name = hostname.replace(/^\[(.*)\]$/, '$1');
  if (allowPrivate) return tried(await names.find(tenant, name, withinMs));
  let found: FoundName;
  try {
    found = await names.find(tenant, name, withinMs);
  } catch (error) {
    if (error instanceof NameFailed) throw new EgressRefused(noPublicAddress);
    throw error;
  }
  if (found.addresses.length === 0 || !found.addresses.every(({ address }) => isPublicAddress(address)))
    throw new EgressRefused(noPublicAddress);
  return tried(found);
}

const tried = ({ addresses, ms }: FoundName): FoundName => ({
  addresses: addresses.slice(0, bounds.webhookAddressesTried),
  ms,
});

/** Gives the addresses that were checked to a connection, so that an answer that changes between check and use gains nothing. */
export const fixedLookup =
  (addresses: readonly LookupAddress[]) =>
  (
    _name: string,
    options: { readonly all?: boolean | undefined },
    callback: (error: null, address: string | LookupAddress[], family?: number) => void,
  ): void => {
    const [first] = addresses;
    if (options.all === true || !first) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
