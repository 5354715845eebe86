import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { rm } from 'node:fs/promises';
import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { parseRedisUrl } from '../../src/adapters/bullmq/redis-options.js';
import { startRedisChild, type RedisChild } from '../../src/adapters/redis-child/redis-child.js';
import { ChildScript } from '../support/child-script.js';
import { eventually } from '../support/eventually.js';
import { MemoryLog } from '../support/memory-log.js';
import { makeTempFolder } from '../support/temp-folder.js';
import { describeJobQueue, retryDelayMs } from './job-queue.js';
import { describeLiveChannel } from './live-channel.js';
import { describeProgressBoard } from './progress-board.js';
import { describeSharedState } from './shared-state.js';

let redis: RedisChild;
let folder: string;
let runs = 0;

beforeAll(async () => {
  folder = await makeTempFolder();
  redis = await startRedisChild({ folder, searchPath: process.env['PATH'] ?? '' });
});

afterAll(async () => {
  await redis.close();
  await rm(folder, { recursive: true });
});

/** Each test has keys of its own on the shared server. */
const nextSettings = () => ({
  prefix: `{eyrie-${runs++}}`,
  lockMs: 1000,
  stalledCheckMs: 300,
  retryDelayMs,
  speedTtlMs: 200,
});

describeJobQueue('BullMQ', () => {
  const settings = nextSettings();
  const opened = openBullmq({ redisUrl: redis.url, log: new MemoryLog(), settings });
  return Promise.resolve({
    queue: opened.queue,
    until: eventually,
    pass: (ms) => sleep(ms),
    now: () => Date.now(),
    startHangingProcess: async (kind) => {
      const script = new URL('./hanging-worker.ts', import.meta.url);
      const child = new ChildScript(script, [redis.url, kind, JSON.stringify(settings)]);
      await child.line();
      return child;
    },
    close: () => opened.close(),
  });
});

describeProgressBoard('Redis', () => {
  const settings = nextSettings();
  const opened = openBullmq({ redisUrl: redis.url, log: new MemoryLog(), settings });
  return {
    board: opened.progress,
    speedTtlMs: settings.speedTtlMs,
    pass: (ms) => sleep(ms),
    close: () => opened.close(),
  };
});

describeLiveChannel('Redis', () => {
  const settings = nextSettings();
  const open = () => openBullmq({ redisUrl: redis.url, log: new MemoryLog(), settings });
  const [here, there] = [open(), open()];
  return {
    channel: here.live,
    other: there.live,
    until: (what, condition) => eventually(what, condition),
    breakConnections: async () => {
      const admin = new Redis(parseRedisUrl(redis.url));
      await admin.client('KILL', 'TYPE', 'pubsub');
      admin.disconnect();
    },
    close: async () => {
      await Promise.all([here.close(), there.close()]);
    },
  };
});

describeSharedState('Redis', () => {
  const settings = nextSettings();
  const open = () => openBullmq({ redisUrl: redis.url, log: new MemoryLog(), settings });
  const [here, there] = [open(), open()];
  return {
    here: here.shared,
    there: there.shared,
    pass: (ms) => sleep(ms),
    close: async () => {
      await Promise.all([here.close(), there.close()]);
    },
  };
});
