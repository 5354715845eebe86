import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, it, onTestFinished } from 'vitest';
import { describeRedis } from '../contract/redis.js';
import { freePort } from '../support/loopback-server.js';
import { RedisProcess } from '../support/redis-process.js';
import { makeTempFolder, tempFolder } from '../support/temp-folder.js';
import { surviveLostMaster } from './failover.js';
import { startCluster, type TestCluster } from './start-cluster.js';
import { startSentinel } from './start-sentinel.js';

/** Set by test/slow/redis-modes.sh where a Valkey server can be had. */
const program = process.env['VALKEY_SERVER'] ?? '';

describe.skipIf(program === '')('Valkey (skipped: VALKEY_SERVER does not name a valkey-server)', () => {
  let folder: string;
  let server: RedisProcess;
  let cluster: TestCluster;

  beforeAll(async () => {
    folder = await makeTempFolder();
    server = await RedisProcess.start({
      folder: path.join(folder, 'server'),
      port: await freePort(),
      config: [],
      program,
    });
    cluster = await startCluster(folder, { program });
  });

  afterAll(async () => {
    await server.kill();
    await cluster.close();
    await rm(folder, { recursive: true });
  });

  describeRedis('one Valkey', () => ({
    connection: { redisUrl: `redis://127.0.0.1:${server.port}` },
    servers: [{ host: '127.0.0.1', port: server.port }],
  }));

  describeRedis('a cluster of Valkey', () => ({
    connection: { redisUrl: cluster.url },
    servers: cluster.servers,
  }));

  it('goes on through its Sentinels after the master was killed amid work', async () => {
    const own = await startSentinel(await tempFolder(), { program });
    onTestFinished(() => own.close());
    const master = await own.master();
    await surviveLostMaster(own.url, () => master.kill());
  });
});
