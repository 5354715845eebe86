import { rm } from 'node:fs/promises';
import { afterAll, beforeAll } from 'vitest';
import { parseRedisUrl } from '../../src/adapters/bullmq/redis-options.js';
import { startRedisChild, type RedisChild } from '../../src/adapters/redis-child/redis-child.js';
import { makeTempFolder } from '../support/temp-folder.js';
import { describeRedis } from './redis.js';

let redis: RedisChild;
let folder: string;

beforeAll(async () => {
  folder = await makeTempFolder();
  redis = await startRedisChild({ folder, searchPath: process.env['PATH'] ?? '' });
});

afterAll(async () => {
  await redis.close();
  await rm(folder, { recursive: true });
});

describeRedis('Redis', () => ({ connection: { redisUrl: redis.url }, servers: [parseRedisUrl(redis.url)] }));
