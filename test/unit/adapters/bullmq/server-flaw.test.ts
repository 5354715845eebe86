import { expect, it } from 'vitest';
import { flawOfError, flawOfServer, parseInfo } from '../../../../src/adapters/bullmq/redis/server-flaw.js';

const strict = { allowEviction: false };
const info = (fields: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  parseInfo(
    `# Server\r\n${Object.entries({
      redis_version: '7.0.15',
      redis_mode: 'standalone',
      role: 'master',
      maxmemory_policy: 'noeviction',
      ...fields,
    })
      .map(([name, value]) => `${name}:${value}`)
      .join('\r\n')}\r\n`,
  );

it.each([
  ['single', {}],
  ['single', { redis_version: '6.2.0' }],
  ['single', { redis_version: '7.2.4', valkey_version: '9.1.2' }],
  ['single', { redis_version: '10.0.0' }],
  ['sentinel', {}],
  ['cluster', { redis_mode: 'cluster', cluster_enabled: '1' }],
] as const)('%s takes %j', (form, fields) => expect(flawOfServer(info(fields), form, strict)).toBeNull());

it.each([
  ['single', { redis_version: '6.0.16' }, 'its version is 6.0.16'],
  ['cluster', { redis_version: '5.0.3', cluster_enabled: '1' }, 'its version is 5.0.3'],
  ['single', { cluster_enabled: '1' }, 'use redis+cluster://'],
  ['sentinel', { redis_mode: 'cluster' }, 'use redis+cluster://'],
  ['cluster', {}, 'it is no cluster'],
  ['single', { redis_mode: 'sentinel' }, 'use redis+sentinel://'],
  ['single', { role: 'slave' }, 'it is a replica'],
  ['single', { maxmemory_policy: 'allkeys-lru' }, 'EYRIE_REDIS_ALLOW_EVICTION=true'],
] as const)('%s refuses %j', (form, fields, flaw) => expect(flawOfServer(info(fields), form, strict)).toContain(flaw));

it('takes eviction when it is allowed, and servers that tell little', () => {
  expect(flawOfServer(info({ maxmemory_policy: 'volatile-lru' }), 'single', { allowEviction: true })).toBeNull();
  expect(flawOfServer(new Map(), 'single', strict)).toBeNull();
});

it.each([
  ['single', 'connect ECONNREFUSED 127.0.0.1:6379'],
  ['single', 'Connection is closed.'],
  ['single', 'LOADING Redis is loading the dataset in memory'],
  ['cluster', 'Failed to refresh slots cache. connect ETIMEDOUT'],
  ['sentinel', 'All sentinels are unreachable. Retrying from scratch after 50ms. Last error: connect ECONNREFUSED'],
] as const)('%s: %j may pass', (form, reason) => expect(flawOfError(reason, form)).toBeNull());

it.each([
  ['single', 'WRONGPASS invalid username-password pair or user is disabled.', 'user or password'],
  ['single', 'Ready check failed: NOAUTH Authentication required.', 'user or password'],
  ['single', "NOPERM User eyrie has no permissions to run the 'info' command", 'ACL'],
  ['single', 'self-signed certificate in certificate chain', 'EYRIE_REDIS_TLS_CA_FILE'],
  ['single', "Hostname/IP does not match certificate's altnames", 'EYRIE_REDIS_TLS_SERVER_NAME'],
  ['single', 'error:0A00010B:SSL routines::wrong version number', 'does not speak TLS'],
  ['cluster', 'Failed to refresh slots cache. ERR This instance has cluster support disabled', 'it is no cluster'],
  ['sentinel', "All sentinels are unreachable. Last error: ERR unknown command 'sentinel'", 'no Sentinel'],
  ['sentinel', 'All sentinels are unreachable. Last error: ERR No such master with that name', 'do not know a master'],
] as const)('%s: %j will not pass', (form, reason, flaw) => expect(flawOfError(reason, form)).toContain(flaw));
