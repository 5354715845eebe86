import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { asAdmin, describeRedis, type RedisConnection } from '../contract/redis.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/loopback-server.js';
import { MemoryLog } from '../support/memory-log.js';
import { projectRoot } from '../support/project-imports.js';
import { RedisProcess } from '../support/redis-process.js';
import { makeTempFolder, tempFolder } from '../support/temp-folder.js';
import { makeCertificates, type Certificates } from './certificates.js';
import { startCluster } from './start-cluster.js';
import { startSentinel } from './start-sentinel.js';

/** The line that the page tells operators to use. */
const page = readFileSync(path.join(projectRoot, 'docs/operations.md'), 'utf8');
const aclLine = /^ +(user eyrie .*)$/m.exec(page)?.[1] ?? '';
/** The tests have keys of their own. */
const testAclLine = aclLine.replaceAll('{eyrie}*', '{eyrie*');
const sentinelAclLine = /^ +(user eyrie-sentinel .*)$/m.exec(page)?.[1] ?? '';
const login = 'eyrie:PASSWORD';

let folder: string;
let certificates: Certificates;
let server: RedisProcess;

beforeAll(async () => {
  folder = await makeTempFolder();
  certificates = makeCertificates(path.join(folder, 'certificates'));
  const port = await freePort();
  server = await RedisProcess.start({
    folder: path.join(folder, 'server'),
    port,
    config: [...certificates.serverConfig(port), 'user default on >admin ~* &* +@all', testAclLine],
  });
});

afterAll(async () => {
  await server.kill();
  await rm(folder, { recursive: true });
});

const connectionOf = (redisUrl: string): RedisConnection => ({ redisUrl, tls: certificates.client });

describeRedis('TLS with a user of limited rights', () => ({
  connection: connectionOf(`rediss://${login}@127.0.0.1:${server.port}`),
  servers: [{ host: '127.0.0.1', port: server.port, password: 'admin', tls: certificates.admin }],
}));

/** A job is done and a message heard, with the keys of production. */
async function works(connection: RedisConnection): Promise<void> {
  const log = new MemoryLog();
  const { queue, progress, live, shared, check, close } = openBullmq({ ...connection, log });
  onTestFinished(close);
  await check((error) => expect(error).toBeUndefined());
  let done = 0;
  const consumer = queue.consume('shard', { concurrency: 2 }, () => {
    done++;
    return Promise.resolve();
  });
  onTestFinished(() => consumer.close(0));
  await queue.add('shard', [
    { id: 'a', payload: {}, priority: 3 },
    { id: 'b', payload: {}, delayMs: 100 },
  ]);
  await eventually('both are done', () => done === 2);
  const heard: string[] = [];
  await live.listen('call_1', { onMessage: (text) => heard.push(text), onLost: () => undefined });
  expect(await live.send('call_1', 'hello')).toBe(1);
  await eventually('it is heard', () => heard.length === 1);
  await progress.noteWork('batch_1', { tokens: 1, first: 1, last: 2 });
  expect(await shared.lease('sweep', 1000)).toBe(true);
  expect(JSON.stringify(log.entries)).not.toMatch(/NOPERM|PASSWORD/);
}

describe('the ACL line of the operations page', () => {
  it('is there', () => expect(aclLine).toMatch(/^user eyrie on >PASSWORD /));

  it('suffices for one server, and no other keys', async () => {
    const port = await freePort();
    const own = await RedisProcess.start({ folder: await tempFolder(), port, config: [aclLine] });
    onTestFinished(() => own.kill());
    await works({ redisUrl: `redis://${login}@127.0.0.1:${port}` });
    const elsewhere = openBullmq({
      redisUrl: `redis://${login}@127.0.0.1:${port}`,
      log: new MemoryLog(),
      settings: { prefix: '{other}' },
    });
    onTestFinished(() => elsewhere.close());
    await expect(elsewhere.queue.add('plan', [{ id: 'x', payload: {} }])).rejects.toThrow(/NOPERM/);
  });

  it('suffices for a cluster with TLS', async () => {
    const cluster = await startCluster(await tempFolder(), { certificates, config: [aclLine] });
    onTestFinished(() => cluster.close());
    await works(connectionOf(cluster.url.replace('://:cluster-password@', `://${login}@`)));
  });
});

it('works through Sentinels that know a user of limited rights', async () => {
  expect(sentinelAclLine).toMatch(/^user eyrie-sentinel on >PASSWORD /);
  const sentinel = await startSentinel(await tempFolder(), { sentinelConfig: [sentinelAclLine] });
  onTestFinished(() => sentinel.close());
  const redisUrl = sentinel.url.replace(/\?.*/, '?sentinelUser=eyrie-sentinel&sentinelPassword=PASSWORD');
  await works({ redisUrl });
  const user = { host: '127.0.0.1', username: 'eyrie-sentinel', password: 'PASSWORD', enableReadyCheck: false };
  for (const port of sentinel.sentinelPorts)
    await asAdmin({ ...user, port }, async (limited) => {
      expect(await limited.subscribe('+switch-master')).toBe(1);
      await expect(limited.psubscribe('*')).rejects.toThrow(/NOPERM/);
    });
});

it('works through Sentinels with TLS', async () => {
  const sentinel = await startSentinel(await tempFolder(), { certificates });
  onTestFinished(() => sentinel.close());
  await works(connectionOf(sentinel.url));
});

describe('a TLS connection that is refused says why', () => {
  /** At once, or after some tries: how a server ends a handshake is a matter of timing. */
  const refusal = (redisUrl: string, tls: RedisConnection['tls']): Promise<string> =>
    new Promise((resolve) => {
      const opened = openBullmq({ redisUrl, ...(tls ? { tls } : {}), log: new MemoryLog() });
      onTestFinished(() => opened.close());
      const tell = (error: unknown): void => resolve(String(error));
      opened.check(tell).catch(tell);
    });
  const url = (host = '127.0.0.1'): string => `rediss://${login}@${host}:${server.port}`;

  it('without our CA', async () =>
    expect(await refusal(url(), undefined)).toMatch(/certificate is refused .*EYRIE_REDIS_TLS_CA_FILE/));
  it('without a certificate of the client', async () =>
    expect(await refusal(url(), { ca: certificates.client.ca })).toMatch(/certificate is refused/));
  it('also when it is closed meanwhile, which ends no process', async () => {
    // Vitest fails when an error is left that nobody listens to: without our guard, a few in a hundred.
    for (let round = 0; round < 15; round++)
      await Promise.all(
        Array.from({ length: 10 }, async (_, at) => {
          const opened = openBullmq({ redisUrl: url(), tls: { ca: certificates.client.ca }, log: new MemoryLog() });
          await Promise.race([opened.check(() => undefined).catch(() => undefined), sleep(at * 20)]);
          await opened.close();
        }),
      );
  });
  it('for another name', async () =>
    expect(await refusal(url(), { ...certificates.client, serverName: 'redis.example' })).toMatch(
      /does not match .*EYRIE_REDIS_TLS_SERVER_NAME/,
    ));
});

it('takes the certificate of a server by name', () =>
  works({ ...connectionOf(`rediss://${login}@localhost:${server.port}`), settings: { prefix: '{eyrie-name}' } }));
