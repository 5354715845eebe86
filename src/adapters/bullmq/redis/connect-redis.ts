import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { AnyNodeConnector } from './any-node-connector.js';
import type { RedisNode, RedisTarget } from './redis-target.js';

export type RedisClient = Redis | Cluster;

/** Pause before the n-th reconnect. */
export const reconnectDelayMs = (times: number): number => Math.min(2000, 50 * 2 ** Math.min(times, 6));

const keepAliveMs = 10_000;
const connectMs = 5000;
/** A cluster is asked for its slots this often beside whenever a command went wrong: a node that hangs is left by it. */
const slotsRefreshMs = 10_000;
const slotsAnswerMs = 2000;
/** A worker's commands outlast a failover of its node: what was generated is not to be done again for it. */
const workerTries = { maxRedirections: 120, retryDelayOnFailover: 500, retryDelayOnClusterDown: 500 };

/** Options that every connection shares. A fail-over may leave us on a replica: its READONLY answer makes us connect anew. */
const sharedOptions: RedisOptions = {
  keepAlive: keepAliveMs,
  connectTimeout: connectMs,
  // Redis 6 puts it behind other words when a script meets it.
  reconnectOnError: (error) => error.message.includes('READONLY'),
};

/**
 * ioredis listens to the first error of a stream. One that is ended while the server refuses its TLS certificate may have two, and
 * an error that nobody listens to would end the process.
 */
function guarded<T extends RedisClient>(client: T): T {
  if (client instanceof Redis)
    client.on('connect', () => {
      client.stream.on('error', () => undefined);
    });
  else client.on('+node', (node: Redis) => void guarded(node));
  // BullMQ makes a second connection like the first.
  const { duplicate } = client as unknown as { duplicate: (...options: unknown[]) => T };
  return Object.assign(client, { duplicate: (...options: unknown[]) => guarded(duplicate.apply(client, options)) });
}

/** For short calls: nothing waits without a connection, and what is under way when it breaks fails at the second try to reconnect. */
export function connectForCalls(target: RedisTarget): RedisClient {
  const patience = { maxRetriesPerRequest: 1 };
  if (target.form !== 'cluster')
    return guarded(new Redis(oneServer(target, { ...patience, enableOfflineQueue: false })));
  // A node is connected to when it is first needed. Without the queue the first commands would be refused, tried again one by one,
  // and overtake each other.
  return guarded(new Cluster([...target.nodes], clusterOptions(target.options, patience, reconnectDelayMs)));
}

/** For a worker: commands wait until they are done. Reconnects until `ended` says that nobody needs it any more. */
export function connectForWorker(target: RedisTarget, ended: () => boolean): RedisClient {
  const patience = { maxRetriesPerRequest: null };
  const delayMs = (times: number): number | null => (ended() ? null : reconnectDelayMs(times));
  if (target.form !== 'cluster') return guarded(new Redis(oneServer(target, patience, delayMs)));
  const options = { ...clusterOptions(target.options, patience, delayMs), ...workerTries };
  return guarded(new Cluster([...target.nodes], options));
}

/**
 * For subscriptions, which are not renewed behind our back. In a cluster every node hears what is published on any: one is taken by
 * turns, as a plain connection, because the cluster client does not tell when it changes the node that it listens to.
 */
export function connectForListening(target: RedisTarget, calls: RedisClient): Redis {
  const own = { maxRetriesPerRequest: 1, enableOfflineQueue: false, autoResubscribe: false };
  if (target.form !== 'cluster') return guarded(new Redis(oneServer(target, own)));
  const nodes = (): readonly RedisNode[] => {
    const known = calls instanceof Cluster ? calls.nodes().map(({ options }) => options) : [];
    const named = known.flatMap(({ host, port }) => (host && port ? [{ host, port }] : []));
    return named.length > 0 ? named : target.nodes;
  };
  return guarded(
    new Redis({
      ...target.options,
      ...sharedOptions,
      ...own,
      retryStrategy: reconnectDelayMs,
      Connector: AnyNodeConnector.of(nodes),
    }),
  );
}

function oneServer(
  { options }: RedisTarget,
  own: RedisOptions,
  delayMs: (times: number) => number | null = reconnectDelayMs,
): RedisOptions {
  return {
    ...options,
    ...sharedOptions,
    ...own,
    retryStrategy: delayMs,
    // The Sentinels also tell of a master that was replaced because it hangs: its connections would stay.
    ...(options.sentinels ? { sentinelRetryStrategy: delayMs, failoverDetector: true } : {}),
  };
}

function clusterOptions(options: RedisOptions, own: RedisOptions, delayMs: (times: number) => number | null) {
  return {
    redisOptions: { ...options, ...sharedOptions, ...own },
    clusterRetryStrategy: delayMs,
    slotsRefreshInterval: slotsRefreshMs,
    slotsRefreshTimeout: slotsAnswerMs,
    // Names are looked up at each connection, and certificates are compared with names.
    dnsLookup: (name: string, found: (error: null, address: string) => void) => found(null, name),
  };
}
