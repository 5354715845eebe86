import { BlockList, isIP } from 'node:net';

/** Ranges that belong to this machine, its network, or nobody: never a receiver on the internet. */
const refused4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // cloud metadata
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Inside the global range of IPv6: Teredo, documentation and 6to4, which carry any IPv4 address or none. */
const refused6: readonly (readonly [string, number])[] = [
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
];

const refused = new BlockList();
for (const [net, bits] of refused4) refused.addSubnet(net, bits, 'ipv4');
for (const [net, bits] of refused6) refused.addSubnet(net, bits, 'ipv6');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');

/**
 * Whether an address is one on the internet. Of IPv6 only the global range counts, so loopback, link-local, private, mapped and
 * translated addresses (::ffff:0:0/96, 64:ff9b::/96) are not.
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !refused.check(address, 'ipv4');
  return family === 6 && global6.check(address, 'ipv6') && !refused.check(address, 'ipv6');
}

/** Thrown, and then reported, when the rules forbid a target. */
export class EgressRefused extends Error {
  readonly code = 'EGRESS_REFUSED';
}

/**
 * Reads a target's URL under the egress rules. `allowPrivate` is for local mode: plain http, any port and any address are then
 * fine. Names are checked when they are looked up; an IP literal is never looked up, so it is checked here.
 */
export function parseTarget(text: string, allowPrivate: boolean): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new EgressRefused('not a URL');
  }
  if (url.username !== '' || url.password !== '')
    throw new EgressRefused('user and password in the URL are not allowed');
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    throw new EgressRefused('only https is allowed');
  if (allowPrivate) return url;
  if (url.port !== '') throw new EgressRefused('only port 443 is allowed');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 ? !isPublicAddress(host) : /(^|\.)localhost$|\.$/.test(host))
    throw new EgressRefused('address not allowed');
  return url;
}
