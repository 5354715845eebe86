import type { DnsAnswer } from '../../../../support/dns-server.js';

/** Addresses of the namespace: one receiver on the internet, and what an attacker would like to reach. */
export const publicAddresses = ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'] as const;
export const internalAddresses = [
  '127.0.0.1',
  '10.0.0.5',
  '100.64.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '192.168.1.1',
  '198.18.0.1',
  '::1',
  'fd00::5',
] as const;

const literals4 = [
  ...internalAddresses.filter((address) => !address.includes(':')),
  // 127.0.0.1, 10.0.0.5 and 169.254.169.254 as numbers, in octal and in hex, cut short, and with full-width digits and dots.
  '2130706433',
  '167772165',
  '2852039166',
  '0x7f000001',
  '0x0a000005',
  '0xa9fea9fe',
  '017700000001',
  '01200000005',

  '0177.0.0.1',
  '0x7f.0.0.1',
  '0x7f.1',
  '127.1',
  '127.0.1',
  '10.5',
  '10.0.5',
  '169.254.43518',
  '0251.0376.0251.0376',
  '127.0.0.1.',
  '0',
  '0.0.0.0',
  '127.255.255.254',
  '１２７.０.０.１',
  '127。0。0。1',
  '①②⑦.⓪.⓪.①',
  '１0.0.0.5',
  '%31%32%37.0.0.1',
  '255.255.255.255',
  '224.0.0.1',
  '240.0.0.1',
  '192.0.0.8',
  '192.0.2.1',
  '203.0.113.9',
];
const literals6 = [
  '::1',
  '::',
  'fd00::5',
  'fc00::1',
  'fe80::1',
  'ff02::1',
  '0:0:0:0:0:0:0:1',
  '::127.0.0.1',
  '2001:db8::1',
  'fec0::1',
  // Mapped, translated, 6to4 and Teredo: IPv4 addresses in other clothes.
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:a9fe:a9fe',
  '::ffff:10.0.0.5',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::10.0.0.5',
  '64:ff9b:1::7f00:1',
  '2002:7f00:1::',
  '2002:a00:5::1',
  '2001:0:7f00:1::',
];
const names = ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'private.test', 'mixed4.test', 'mixed6.test'];
const names6 = ['loop6.test', 'mapped.test', 'nat64.test', 'sixtofour.test', 'teredo.test', 'unique.test', 'link.test'];
const others = [
  'gone.test',
  'last.test',
  'metadata.test',
  'private.test.',
  'PRIVATE.test',
  'empty.test',
  'unspecified.test',
];
const forms = [
  'http://public.test/',
  'http://127.0.0.1/',
  'https://public.test:8443/',
  'https://127.0.0.1:6379/',
  'https://10.0.0.5:80/',

  'https://user@public.test/',
  'https://user:pass@10.0.0.5/',
  'https://public.test@127.0.0.1/',
  'https://127.0.0.1#@public.test/',

  'https://127.0.0.1\\@public.test/',
  'https:127.0.0.1/',
  'https:\\\\127.0.0.1/',
  'https:///127.0.0.1/',
  '//127.0.0.1/',

  'ftp://127.0.0.1/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/',
  'data:text/plain,x',
  'unix:/run/redis.sock',

  'javascript:1',
  'https://',
  'https://127.0.0.1\n/',
  'https://[::1%25lo]/',
  'https://[127.0.0.1]/',
  'https://127.0.0.1:0443/',
  'https://127.0.0.1:443:443/',
  'https://10.0.0.5%2f@public.test:22/',
  'wss://127.0.0.1/',
  'https://[::ffff:127.0.0.1]:443/',
  'HTTPS://10.0.0.5/',
  'https://169.254.169.254:/latest',
];

/** Every one must end without a connection to an internal address. */
export const urls: readonly string[] = [
  ...literals4.map((host) => `https://${host}/latest/meta-data`),
  ...literals6.map((host) => `https://[${host}]/`),
  ...[...names, ...names6, ...others].map((host) => `https://${host}/hook`),
  ...forms,
];

/** Names whose answers change from one look-up to the next. */
export const rebinding: readonly string[] = Array.from({ length: 20 }, (_, n) => `rebind${n}.names.test`);

const [public4, public6] = publicAddresses;
const fixed: Readonly<Record<string, DnsAnswer>> = {
  'public.test': publicAddresses,
  'private.test': ['10.0.0.5'],
  'mixed4.test': [public4, '127.0.0.1'],
  'mixed6.test': [public4, '::1'],
  'loop6.test': ['::1'],
  'mapped.test': ['::ffff:7f00:1'],
  'nat64.test': ['64:ff9b::7f00:1'],
  'sixtofour.test': ['2002:7f00:1::'],
  'teredo.test': ['2001:0:7f00:1::'],
  'unique.test': ['fd00::5'],
  'link.test': ['fe80::1'],
  'last.test': [...Array<string>(12).fill(public4), '192.168.1.1'],
  'metadata.test': ['169.254.169.254'],
  'unspecified.test': ['0.0.0.0'],
  'empty.test': [],
};

export function answerOf(name: string, asked: number): DnsAnswer {
  const rebound = /^rebind(\d+)\.names\.test$/.exec(name)?.[1];
  if (rebound === undefined) return fixed[name] ?? 'no such name';
  const n = Number(rebound);
  const internal = internalAddresses[n % internalAddresses.length] ?? '127.0.0.1';
  // Public the first time, the first two times, every other time, or in one family alone.
  if (n % 4 === 0) return asked === 0 ? [public4] : [internal];
  if (n % 4 === 1) return asked < 2 ? [public4, public6] : [internal];
  if (n % 4 === 2) return asked % 2 === 0 ? [public4] : [internal];
  return asked === 0 ? [public6] : [public6, internal];
}
