import type { JobQueue } from '../../ports/job-queue.js';
import type { LiveChannel } from '../../ports/live-channel.js';
import type { Log } from '../../ports/log.js';
import type { ProgressBoard } from '../../ports/progress-board.js';
import type { SharedState } from '../../ports/shared-state.js';
import { BullQueue } from './bull-queue.js';
import { QueueConnection } from './queue-connection.js';
import { defaultQueueSettings, type QueueSettings } from './queue-settings.js';
import { parseRedisUrl } from './redis-options.js';
import { RedisLiveChannel } from './redis-live-channel.js';
import { RedisProgress } from './redis-progress.js';
import { RedisSharedState } from './redis-shared-state.js';

export interface OpenQueue {
  readonly queue: JobQueue;
  readonly progress: ProgressBoard;
  readonly live: LiveChannel;
  readonly shared: SharedState;
  /** Ends the connections for calls and for listening. Consumers are closed before, each by its own `close`. */
  close(): Promise<void>;
}

export interface BullmqOptions {
  /** See `parseRedisUrl`. */
  readonly redisUrl: string;
  readonly log: Log;
  readonly settings?: Partial<QueueSettings>;
}

/**
 * The queue, the progress board, the live channel and the shared state on one Redis. Returns at once and connects in the
 * background: while Redis is away calls throw `queue_unavailable` and consumers wait. Throws `config_invalid` for a bad URL.
 */
export function openBullmq({ redisUrl, log, settings }: BullmqOptions): OpenQueue {
  const redis = parseRedisUrl(redisUrl);
  const all = { ...defaultQueueSettings, ...settings };
  const connection = new QueueConnection(redis, all, log);
  const live = new RedisLiveChannel(connection, redis, all, log);
  return {
    queue: new BullQueue(connection, redis, all, log),
    progress: new RedisProgress(connection, all),
    live,
    shared: new RedisSharedState(connection, all),
    close: async () => {
      await Promise.all([connection.close(), live.close()]);
    },
  };
}
