import { expect, it, onTestFinished } from 'vitest';
import { openBullmq, type BullmqOptions } from '../../../../src/adapters/bullmq/open-bullmq.js';
import { startRedisChild } from '../../../../src/adapters/redis-child/redis-child.js';
import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../support/loopback-server.js';
import { MemoryLog } from '../../../support/memory-log.js';
import { RedisProcess } from '../../../support/redis-process.js';
import { tempFolder } from '../../../support/temp-folder.js';

async function start(config: readonly string[], more: { sentinel?: boolean; port?: number } = {}): Promise<number> {
  const { sentinel = false, port = await freePort() } = more;
  const server = await RedisProcess.start({ folder: await tempFolder(), port, config, sentinel });
  onTestFinished(() => server.kill());
  return port;
}

interface Checked {
  /** What `check` threw; null when it found nothing at once. */
  readonly error: unknown;
  readonly late: unknown[];
  readonly log: MemoryLog;
}

async function check(redisUrl: string, options: Partial<BullmqOptions> = {}): Promise<Checked> {
  const [log, late]: [MemoryLog, unknown[]] = [new MemoryLog(), []];
  const opened = openBullmq({ redisUrl, log, ...options });
  onTestFinished(() => opened.close());
  const error: unknown = await opened
    .check((found) => late.push(found))
    .then(
      () => null,
      (thrown: unknown) => thrown,
    );
  return { error, late, log };
}

const refused = (reason: string): unknown =>
  expect.objectContaining({
    code: 'config_invalid',
    param: 'EYRIE_REDIS_URL',
    message: expect.stringContaining(reason) as string,
  });

it('takes the private Redis of local mode', async () => {
  const redis = await startRedisChild({ folder: await tempFolder(), searchPath: process.env['PATH'] ?? '' });
  onTestFinished(() => redis.close());
  const { error, late, log } = await check(redis.url);
  expect([error, late, log.entries]).toEqual([null, [], []]);
});

it('refuses a server that evicts, or warns of it where that is allowed', async () => {
  const url = `redis://127.0.0.1:${await start(['maxmemory-policy allkeys-lru'])}`;
  expect((await check(url)).error).toEqual(refused('maxmemory-policy is allkeys-lru'));
  const { error, log } = await check(url, { allowEviction: true });
  expect(error).toBeNull();
  expect(log.of('queue.eviction_allowed')[0]).toMatchObject({ level: 'warn', fields: { policy: 'allkeys-lru' } });
});

it('refuses a cluster, a Sentinel and a replica named as one server', async () => {
  const node = await start(['cluster-enabled yes']);
  expect((await check(`redis://127.0.0.1:${node}`)).error).toEqual(refused('use redis+cluster://'));
  const sentinel = await start([], { sentinel: true });
  expect((await check(`redis://127.0.0.1:${sentinel}`)).error).toEqual(refused('it is a Sentinel'));
  const replica = await start([`replicaof 127.0.0.1 ${await start([])}`, 'replica-serve-stale-data yes']);
  expect((await check(`redis://127.0.0.1:${replica}`)).error).toEqual(refused('it is a replica'));
});

it('refuses one server named as a cluster or as a Sentinel, and a master that nobody knows', async () => {
  const port = await start([]);
  expect((await check(`redis+cluster://127.0.0.1:${port}`)).error).toEqual(refused('it is no cluster'));
  expect((await check(`redis+sentinel://127.0.0.1:${port}/m`)).error).toEqual(refused('is no Sentinel'));
  const sentinel = await start([], { sentinel: true });
  expect((await check(`redis+sentinel://127.0.0.1:${sentinel}/m`)).error).toEqual(refused('do not know a master'));
});

it('refuses a password that the server refuses, and a user who may not ask, without showing the password', async () => {
  const port = await start(['requirepass right', 'user limited on >SECRET ~* +@all -info']);
  const wrong = await check(`redis://:SECRET@127.0.0.1:${port}`);
  expect(wrong.error).toEqual(refused('refuses the user or password'));
  expect((await check(`redis://127.0.0.1:${port}`)).error).toEqual(refused('refuses the user or password'));
  const limited = await check(`redis://limited:SECRET@127.0.0.1:${port}`);
  expect(limited.error).toEqual(refused('ACL'));
  expect(String([wrong.error, limited.error]) + JSON.stringify(wrong.log.entries)).not.toContain('SECRET');
});

it('does not wait for a server that is away, and tells of it later', async () => {
  const port = await freePort();
  const startMs = performance.now();
  const { error, late } = await check(`redis://127.0.0.1:${port}`);
  expect([error, late]).toEqual([null, []]);
  expect(performance.now() - startMs).toBeLessThan(1500);
  await start(['maxmemory-policy allkeys-lru'], { port });
  await eventually('it is looked at', () => late.length > 0);
  expect(late).toEqual([refused('maxmemory-policy is allkeys-lru')]);
});
