import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { asAdmin, describeRedis } from '../contract/redis.js';
import { MemoryLog } from '../support/memory-log.js';
import { makeTempFolder, tempFolder } from '../support/temp-folder.js';
import { eventually } from '../support/eventually.js';
import type { RedisProcess } from '../support/redis-process.js';
import { failoverMs, failoverSettings, surviveLostMaster } from './failover.js';
import { startCluster, type TestCluster } from './start-cluster.js';

let folder: string;
let cluster: TestCluster;

beforeAll(async () => {
  folder = await makeTempFolder();
  cluster = await startCluster(folder);
});

afterAll(async () => {
  await cluster.close();
  await rm(folder, { recursive: true });
});

describeRedis('a cluster', () => ({ connection: { redisUrl: cluster.url }, servers: cluster.servers }));

it('counts a listener at a node that is not the one asked', async () => {
  const owner = await cluster.ownerOf('{eyrie}');
  const speaker = openBullmq({ redisUrl: cluster.url, log: new MemoryLog() });
  onTestFinished(() => speaker.close());
  const heard = { owner: 0, other: 0 };
  // Each takes a node by turns from a random one on.
  for (let at = 0; (heard.owner === 0 || heard.other === 0) && at < 60; at++) {
    const listener = openBullmq({ redisUrl: cluster.url, log: new MemoryLog() });
    onTestFinished(() => listener.close());
    const topic = `call_${at}`;
    await listener.live.listen(topic, { onMessage: () => undefined, onLost: () => undefined });
    const server = cluster.servers.find(({ port }) => port === owner.port);
    const counts = server && (await asAdmin(server, (admin) => admin.pubsub('NUMSUB', `{eyrie}:live:${topic}`)));
    heard[Number(counts?.[1]) === 0 ? 'other' : 'owner']++;
    expect(await speaker.live.send(topic, 'x')).toBe(1);
  }
  expect(heard.other).toBeGreaterThan(0);
  expect(heard.owner).toBeGreaterThan(0);
});

it('goes on after the master of its keys was killed amid work', async () => {
  const replicated = await startCluster(await tempFolder(), { replicas: 1 });
  onTestFinished(() => replicated.close());
  const owner = await replicated.ownerOf('{eyrie}');
  await surviveLostMaster(replicated.url, () => owner.kill());
});

it('goes on after the master of its keys hung amid work', async () => {
  const replicated = await startCluster(await tempFolder(), { replicas: 1 });
  onTestFinished(() => replicated.close());
  const owner = await replicated.ownerOf('{eyrie}');
  await surviveLostMaster(replicated.url, () => Promise.resolve(owner.freeze()));
});

it('tells its listeners when the node that they listen at hangs, and listens at another', async () => {
  const replicated = await startCluster(await tempFolder(), { replicas: 1 });
  onTestFinished(() => replicated.close());
  const owner = await replicated.ownerOf('{eyrie}');
  const hearing = async ({ port }: RedisProcess): Promise<boolean> => {
    const server = replicated.servers.find((each) => each.port === port);
    const counts = server && (await asAdmin(server, (admin) => admin.pubsub('NUMSUB', '{eyrie}:live:call_1')));
    return Number(counts?.[1]) > 0;
  };
  const others = replicated.masters.filter((node) => node !== owner);
  const lost: unknown[] = [];
  const handlers = { onMessage: () => undefined, onLost: (error: unknown) => void lost.push(error) };
  for (;;) {
    // Each takes a node by turns from a random one on.
    const { live, close } = openBullmq({ redisUrl: replicated.url, log: new MemoryLog(), settings: failoverSettings });
    onTestFinished(close);
    const listener = await live.listen('call_1', handlers);
    const asked = await Promise.all(others.map(hearing));
    const node = others[asked.indexOf(true)];
    if (!node) {
      await listener.close();
      continue;
    }
    node.freeze();
    await eventually('the listener is told', () => lost.length > 0, failoverMs);
    await eventually(
      'it listens at another node',
      () =>
        live.listen('call_1', handlers).then(
          () => true,
          () => false,
        ),
      failoverMs,
    );
    return;
  }
});
