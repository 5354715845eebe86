import { Redis, type RedisOptions } from 'ioredis';
import { EyrieError } from '../../domain/errors.js';
import type { Log } from '../../ports/log.js';
import type { QueueSettings } from './queue-settings.js';
import { SampledErrors } from './sampled-errors.js';

/** Pause before the n-th reconnect. */
export const reconnectDelayMs = (times: number): number => Math.min(2000, 50 * 2 ** Math.min(times, 6));

const keepAliveMs = 10_000;

/** Options that every connection shares. A fail-over may leave us on a replica: its READONLY answer makes us connect anew. */
export const sharedOptions: RedisOptions = {
  keepAlive: keepAliveMs,
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
};

export function unavailable(reason: string, cause?: unknown): EyrieError {
  return new EyrieError(
    'queue_unavailable',
    `The work queue (Redis) did not do its part: ${reason}. Nothing that was accepted is lost; check that Redis runs, then try again.`,
    { cause },
  );
}

function toQueueError(error: unknown): unknown {
  if (error instanceof EyrieError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return unavailable(message.startsWith('OOM') ? 'its memory is full (maxmemory)' : message, error);
}

/** The connection for short calls. It fails fast: a caller learns within seconds that Redis is away, and nothing is sent late. */
export class QueueConnection {
  readonly redis: Redis;
  readonly #settings: QueueSettings;

  constructor(options: RedisOptions, settings: QueueSettings, log: Log) {
    this.#settings = settings;
    this.redis = new Redis({
      ...options,
      ...sharedOptions,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      retryStrategy: reconnectDelayMs,
    });
    this.redis.on('error', new SampledErrors(log, 'queue.connection_error', 'calls').note);
  }

  /** Runs a step that talks to Redis; every failure becomes `queue_unavailable`. */
  async call<T>(step: () => Promise<T>): Promise<T> {
    try {
      await this.#ready();
      return await within(this.#settings.callTimeoutMs, step(), 'no answer in time');
    } catch (error) {
      throw toQueueError(error);
    }
  }

  async close(): Promise<void> {
    await within(this.#settings.closeTimeoutMs, this.redis.quit(), 'no answer in time').catch(() => undefined);
    this.redis.disconnect();
  }

  async #ready(): Promise<void> {
    if (this.redis.status === 'ready') return;
    if (this.redis.status === 'end') throw unavailable('the connection was closed');
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.redis.off('ready', settle);
        reject(unavailable('there is no connection'));
      }, this.#settings.connectWaitMs);
      this.redis.once('ready', settle);
    });
  }
}

/** The promise's value, or `queue_unavailable` after `ms`. */
export async function within<T>(ms: number, promise: Promise<T>, reason: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable(reason)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
