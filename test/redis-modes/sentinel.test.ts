import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { describeRedis } from '../contract/redis.js';
import { makeTempFolder, tempFolder } from '../support/temp-folder.js';
import { surviveLostMaster } from './failover.js';
import { startSentinel, type TestSentinel } from './start-sentinel.js';

let folder: string;
let sentinel: TestSentinel;

beforeAll(async () => {
  folder = await makeTempFolder();
  sentinel = await startSentinel(folder);
});

afterAll(async () => {
  await sentinel.close();
  await rm(folder, { recursive: true });
});

describeRedis('Sentinel', () => ({ connection: { redisUrl: sentinel.url }, servers: sentinel.servers }));

it('goes on after its master was killed amid work', async () => {
  const own = await startSentinel(await tempFolder());
  onTestFinished(() => own.close());
  const master = await own.master();
  await surviveLostMaster(own.url, () => master.kill());
  expect((await own.master()).port).not.toBe(master.port);
});

it('goes on after its master hung amid work', async () => {
  const own = await startSentinel(await tempFolder());
  onTestFinished(() => own.close());
  const master = await own.master();
  await surviveLostMaster(own.url, () => Promise.resolve(master.freeze()));
  expect((await own.master()).port).not.toBe(master.port);
});
