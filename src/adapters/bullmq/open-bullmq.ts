import type { JobQueue } from '../../ports/job-queue.js';
import type { LiveChannel } from '../../ports/live-channel.js';
import type { Log } from '../../ports/log.js';
import type { ProgressBoard } from '../../ports/progress-board.js';
import type { SharedState } from '../../ports/shared-state.js';
import { BullQueue } from './bull-queue.js';
import { QueueConnection } from './queue-connection.js';
import { defaultQueueSettings, type QueueSettings } from './queue-settings.js';
import { RedisLiveChannel } from './redis-live-channel.js';
import { RedisProgress } from './redis-progress.js';
import { RedisSharedState } from './redis-shared-state.js';
import { checkAtStart } from './redis/check-server.js';
import { connectForCalls } from './redis/connect-redis.js';
import { parseRedisTarget, type RedisTls } from './redis/redis-target.js';

export interface OpenQueue {
  readonly queue: JobQueue;
  readonly progress: ProgressBoard;
  readonly live: LiveChannel;
  readonly shared: SharedState;
  /**
   * Looks at the servers as soon as they can be reached, once. Throws `config_invalid` when they cannot be used. Does not wait for
   * servers that are away: if those cannot be used either, `onLate` is given that error.
   */
  check(onLate: (error: unknown) => void): Promise<void>;
  /** Ends the connections for calls and for listening. Consumers are closed before, each by its own `close`. */
  close(): Promise<void>;
}

export interface BullmqOptions {
  /** See `parseRedisTarget`. */
  readonly redisUrl: string;
  readonly tls?: RedisTls;
  /** A server that may evict keys is used all the same. */
  readonly allowEviction?: boolean;
  readonly log: Log;
  readonly settings?: Partial<QueueSettings>;
}

/**
 * The queue, the progress board, the live channel and the shared state on one Redis. Returns at once and connects in the
 * background: while Redis is away calls throw `queue_unavailable` and consumers wait. Throws `config_invalid` for a bad URL.
 */
export function openBullmq({ redisUrl, tls, allowEviction = false, log, settings }: BullmqOptions): OpenQueue {
  const target = parseRedisTarget(redisUrl, tls);
  const all = { ...defaultQueueSettings, ...settings };
  const connection = new QueueConnection(connectForCalls(target), all, log);
  const live = new RedisLiveChannel(connection, target, all, log);
  return {
    queue: new BullQueue(connection, target, all, log),
    progress: new RedisProgress(connection, all),
    live,
    shared: new RedisSharedState(connection, all),
    check: (onLate) => checkAtStart(all.connectWaitMs, onLate, connection.redis, target, { allowEviction }, log),
    close: async () => {
      await live.close();
      await connection.close();
    },
  };
}
