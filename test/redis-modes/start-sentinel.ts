import path from 'node:path';
import type { RedisOptions } from 'ioredis';
import { asAdmin } from '../contract/redis.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/loopback-server.js';
import { RedisProcess } from '../support/redis-process.js';
import type { Certificates } from './certificates.js';
import { closingOnFailure } from './closing-on-failure.js';

export interface TestSentinel {
  readonly url: string;
  readonly servers: readonly RedisOptions[];
  readonly sentinelPorts: readonly number[];
  /** The one that is master now. */
  master(): Promise<RedisProcess>;
  close(): Promise<void>;
}

const masterName = 'mymaster';
const password = 'server-password';
const sentinelPassword = 'sentinel-password';

export interface SentinelOptions {
  readonly program?: string;
  readonly certificates?: Certificates;
  /** More configuration of each Sentinel. */
  readonly sentinelConfig?: readonly string[];
}

/** A master, two replicas, and three Sentinels that watch over them. */
export const startSentinel = (folder: string, options: SentinelOptions = {}): Promise<TestSentinel> =>
  closingOnFailure((started) => start(started, folder, options));

async function start(
  started: RedisProcess[],
  folder: string,
  { program, certificates, sentinelConfig = [] }: SentinelOptions,
): Promise<Omit<TestSentinel, 'close'>> {
  const tls = certificates ? { tls: certificates.admin } : {};
  const own = program === undefined ? {} : { program };
  for (let at = 0; at < 3; at++) {
    const [first] = started;
    const port = await freePort();
    started.push(
      await RedisProcess.start({
        folder: path.join(folder, `server-${at}`),
        port,
        config: [
          ...(certificates?.serverConfig(port) ?? []),
          `requirepass ${password}`,
          `masterauth ${password}`,
          'appendonly yes',
          'repl-diskless-sync-delay 0',
          ...(first ? [`replicaof 127.0.0.1 ${first.port}`] : []),
        ],
        ...own,
      }),
    );
  }
  const servers = [...started];
  const options = ({ port }: RedisProcess): RedisOptions => ({ host: '127.0.0.1', port, password, ...tls });
  const [first] = servers;
  if (!first) throw new Error('There is no server.');
  await eventually('both replicas follow', async () =>
    /state=online[^]*state=online/.test(await asAdmin(options(first), (admin) => admin.info('replication'))),
  );
  for (let at = 0; at < 3; at++) {
    const port = await freePort();
    started.push(
      await RedisProcess.start({
        folder: path.join(folder, `sentinel-${at}`),
        port,
        sentinel: true,
        config: [
          ...(certificates?.serverConfig(port) ?? []),
          `requirepass ${sentinelPassword}`,
          ...sentinelConfig,
          `sentinel sentinel-pass ${sentinelPassword}`,
          `sentinel monitor ${masterName} 127.0.0.1 ${first.port} 2`,
          `sentinel auth-pass ${masterName} ${password}`,
          `sentinel down-after-milliseconds ${masterName} 1000`,
          `sentinel failover-timeout ${masterName} 5000`,
        ],
        ...own,
      }),
    );
  }
  const sentinels = started.slice(servers.length);
  const ask = ({ port }: RedisProcess, ...args: string[]): Promise<unknown> =>
    asAdmin({ host: '127.0.0.1', port, password: sentinelPassword, enableReadyCheck: false, ...tls }, (admin) =>
      admin.call('SENTINEL', ...args),
    );
  for (const sentinel of sentinels)
    await eventually('the Sentinels know each other and the replicas', async () => {
      const [row] = (await ask(sentinel, 'masters')) as string[][];
      const field = (name: string): string | undefined => row?.[row.indexOf(name) + 1];
      return field('num-other-sentinels') === '2' && field('num-slaves') === '2';
    });
  return {
    url: `${certificates ? 'rediss' : 'redis'}+sentinel://:${password}@${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${masterName}?sentinelPassword=${sentinelPassword}`,
    servers: servers.map(options),
    sentinelPorts: sentinels.map(({ port }) => port),
    master: async () => {
      const [sentinel] = sentinels;
      const [, port] = sentinel ? ((await ask(sentinel, 'get-master-addr-by-name', masterName)) as string[]) : [];
      const found = servers.find((server) => String(server.port) === port);
      if (!found) throw new Error(`No server of ours has port ${port}.`);
      return found;
    },
  };
}
