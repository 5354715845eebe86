import path from 'node:path';
import type { RedisOptions } from 'ioredis';
import { asAdmin } from '../contract/redis.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/loopback-server.js';
import { RedisProcess } from '../support/redis-process.js';
import type { Certificates } from './certificates.js';
import { closingOnFailure } from './closing-on-failure.js';

export interface TestCluster {
  readonly url: string;
  readonly masters: readonly RedisProcess[];
  readonly servers: readonly RedisOptions[];
  /** The master of the slot of a key. */
  ownerOf(key: string): Promise<RedisProcess>;
  close(): Promise<void>;
}

const slots = 16_384;
const password = 'cluster-password';

/** Ports for a server and its bus, which is 10000 above. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000) return port;
  }
}

export interface ClusterOptions {
  /** Of each master. */
  readonly replicas?: number;
  readonly program?: string;
  readonly certificates?: Certificates;
  /** More configuration of each node. */
  readonly config?: readonly string[];
}

/** Three masters and their replicas. */
export const startCluster = (folder: string, options: ClusterOptions = {}): Promise<TestCluster> =>
  closingOnFailure((nodes) => start(nodes, folder, options));

async function start(
  nodes: RedisProcess[],
  folder: string,
  { replicas = 0, program, certificates, config = [] }: ClusterOptions,
): Promise<Omit<TestCluster, 'close'>> {
  for (let at = 0; at < 3 * (1 + replicas); at++) {
    const port = await clusterPort();
    nodes.push(
      await RedisProcess.start({
        folder: path.join(folder, `node-${at}`),
        port,
        config: [
          ...(certificates?.serverConfig(port) ?? []),
          ...config,
          'cluster-enabled yes',
          'cluster-config-file nodes',
          // A node that is silent for half of it loses its links for a moment, and messages with them: short only where one is to fail.
          `cluster-node-timeout ${replicas > 0 ? 3000 : 15_000}`,
          'appendonly yes',
          `requirepass ${password}`,
          `masterauth ${password}`,
        ],
        ...(program === undefined ? {} : { program }),
      }),
    );
  }
  const tls = certificates ? { tls: certificates.admin } : {};
  const server = ({ port }: RedisProcess): RedisOptions => ({ host: '127.0.0.1', port, password, ...tls });
  const masters = nodes.slice(0, 3);
  const [first] = masters;
  if (!first) throw new Error('There is no node.');

  for (const [at, node] of nodes.entries())
    await asAdmin(server(node), async (admin) => {
      if (at < 3) {
        const [from, to] = [Math.floor((at * slots) / 3), Math.floor(((at + 1) * slots) / 3)];
        await admin.cluster('ADDSLOTS', ...Array.from({ length: to - from }, (_, slot) => from + slot));
      }
      await admin.cluster('SET-CONFIG-EPOCH', at + 1);
      await admin.cluster('MEET', '127.0.0.1', first.port);
    });
  const info = (node: RedisProcess): Promise<string> =>
    asAdmin(server(node), (admin) => admin.cluster('INFO') as Promise<string>);
  for (const node of nodes)
    await eventually('the nodes know each other', async () =>
      (await info(node)).includes(`cluster_known_nodes:${nodes.length}`),
    );
  for (const [at, node] of nodes.slice(3).entries()) {
    const master = masters[at % 3] ?? first;
    const id = await asAdmin(server(master), (admin) => admin.cluster('MYID') as Promise<string>);
    await eventually('the replica knows its master', () =>
      asAdmin(server(node), (admin) => admin.cluster('REPLICATE', id)).then(
        () => true,
        () => false,
      ),
    );
    await eventually('the replica has what its master has', async () =>
      (await asAdmin(server(node), (admin) => admin.info('replication'))).includes('master_link_status:up'),
    );
  }
  for (const node of nodes)
    await eventually('the cluster works', async () => (await info(node)).includes('cluster_state:ok'));

  return {
    url: `${certificates ? 'rediss' : 'redis'}+cluster://:${password}@${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    masters,
    servers: nodes.map(server),
    ownerOf: async (key) => {
      const slot = await asAdmin(server(first), (admin) => admin.cluster('KEYSLOT', key));
      return masters[Math.floor((slot * 3) / slots)] ?? first;
    },
  };
}
