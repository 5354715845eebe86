import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { HostsFile, parseHosts } from '../../../../../src/adapters/webhook-http/names/hosts-file.js';
import { NameLookup } from '../../../../../src/adapters/webhook-http/names/name-lookup.js';
import { candidates, parseSearchList } from '../../../../../src/adapters/webhook-http/names/search-list.js';
import { bounds } from '../../../../../src/domain/bounds.js';
import type { EyrieError } from '../../../../../src/domain/errors.js';
import { DnsServer, type DnsAnswer } from '../../../../support/dns-server.js';
import { eventually } from '../../../../support/eventually.js';
import { openNames } from '../../../../support/open-names.js';
import { tempFolder } from '../../../../support/temp-folder.js';

async function server(answer: (name: string, asked: number) => DnsAnswer): Promise<DnsServer> {
  const started = await DnsServer.start(answer);
  onTestFinished(() => started.stop());
  return started;
}

const open = ({ address }: DnsServer) => openNames(address);

test('the addresses of both families are found, IPv4 first', async () => {
  const { lookup } = open(await server(() => ['2001:db8::7', '192.0.2.7', '192.0.2.8']));
  const { addresses } = await lookup.find('acme', 'receiver.test', 5000);
  expect(addresses).toEqual([
    { address: '192.0.2.7', family: 4 },
    { address: '192.0.2.8', family: 4 },
    { address: '2001:db8::7', family: 6 },
  ]);
});

test('a name that is not there is told apart from one whose server says nothing', async () => {
  const { lookup } = open(await server((name) => (name === 'gone.test' ? 'no such name' : 'silence')));
  await expect(lookup.find('acme', 'gone.test', 5000)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  await expect(lookup.find('acme', 'slow.test', 100)).rejects.toMatchObject({ code: 'ETIMEOUT' });
});

test('a look-up ends with its time, and leaves neither a socket nor a place behind', async () => {
  const { lookup, places } = open(await server(() => 'silence'));
  const before = readdirSync('/proc/self/fd').length;
  const looks = Array.from({ length: 40 }, (_, at) => lookup.find('mallory', `slow-${at}.test`, 50));
  const ended = await Promise.allSettled(looks);
  expect(ended.filter(({ status }) => status === 'fulfilled')).toEqual([]);
  expect(places.state()).toMatchObject({ waiting: 0, active: 0 });
  await eventually('the sockets to be closed', () => readdirSync('/proc/self/fd').length <= before + 1);
});

test('names that hang take the places of their tenant alone; more are refused by the bound', async () => {
  const { lookup, places } = open(await server((name) => (name.startsWith('slow') ? 'silence' : ['192.0.2.1'])));
  const most = bounds.webhookLookupsPerTenant + bounds.webhookLookupsWaitingPerTenant;
  const looks = Promise.allSettled(
    Array.from({ length: most + 5 }, (_, at) => lookup.find('mallory', `slow-${at}.test`, 400)),
  );
  await eventually('the places of one tenant to be taken', () => places.state().waiting > 0);
  const { ms } = await lookup.find('alice', 'receiver.test', 5000);
  expect(ms).toBeLessThan(2000);
  expect(places.state().active, 'others still hang').toBe(bounds.webhookLookupsPerTenant);
  const reasons = (await looks).map((result) => (result as PromiseRejectedResult).reason as EyrieError);
  const refused = reasons.filter(({ code }) => code === 'rate_limit_exceeded');
  expect(refused).toHaveLength(5);
  expect(refused[0]).toMatchObject({ bound: 'webhookLookupsWaitingPerTenant' });
});

test('a name that was not looked up in time fails at once for a while, for that tenant alone', async () => {
  const dns = await server((_name, asked) => (asked === 0 ? 'silence' : ['192.0.2.1']));
  const { lookup } = open(dns);
  await expect(lookup.find('mallory', 'receiver.test', 100)).rejects.toMatchObject({ code: 'ETIMEOUT' });
  const asked = dns.asked.length;
  await expect(lookup.find('mallory', 'receiver.test', 5000)).rejects.toMatchObject({ code: 'ETIMEOUT' });
  expect(dns.asked).toHaveLength(asked);
  expect((await lookup.find('alice', 'receiver.test', 5000)).addresses).toHaveLength(1);
});

test('one family is enough when the other one is not answered', async () => {
  const dns = await server(() => ['192.0.2.1']);
  const { lookup } = open(dns);
  expect((await lookup.find('acme', 'four.test', 5000)).addresses).toEqual([{ address: '192.0.2.1', family: 4 }]);
});

test('literals are themselves, and the hosts file goes before the name servers', async () => {
  const dns = await server(() => ['192.0.2.1']);
  const hosts = join(await tempFolder(), 'hosts');
  await writeFile(
    hosts,
    '127.0.0.1 localhost\n# nobody\n192.0.2.9\treceiver.test Alias # here\n::1 localhost\nrubbish x\n',
  );
  const lookup = new NameLookup({ servers: [dns.address], search: false, hosts: new HostsFile(hosts) });
  const found = async (name: string) => (await lookup.find('acme', name, 5000)).addresses.map(({ address }) => address);
  expect(await found('192.0.2.77')).toEqual(['192.0.2.77']);
  expect(await found('2001:db8::1')).toEqual(['2001:db8::1']);
  expect(await found('localhost')).toEqual(['127.0.0.1', '::1']);
  expect(await found('RECEIVER.test')).toEqual(['192.0.2.9']);
  expect(await found('alias')).toEqual(['192.0.2.9']);
  expect(dns.asked).toEqual([]);
  await writeFile(hosts, '192.0.2.10 receiver.test\n');
  await eventually('the change to be seen', async () => (await found('receiver.test'))[0] === '192.0.2.10');
});

test('lines of a hosts file that are not understood are skipped', () => {
  expect([...parseHosts('x y\n10.0.0.1 a b\r\n10.0.0.2 a\n::1\n')]).toEqual([
    ['a', ['10.0.0.1', '10.0.0.2']],
    ['b', ['10.0.0.1']],
  ]);
});

test('names that are not complete stand for names of the search domains, where these count', () => {
  const list = parseSearchList('nameserver 10.0.0.1\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:2\n');
  expect(candidates('receiver', list)).toEqual([
    'receiver.ns.svc.cluster.local',
    'receiver.svc.cluster.local',
    'receiver',
  ]);
  expect(candidates('a.example.com', list)[0]).toBe('a.example.com');
  expect(candidates('a.example.com.', list)).toEqual(['a.example.com']);
  expect(candidates('receiver', parseSearchList(''))).toEqual(['receiver']);
});
