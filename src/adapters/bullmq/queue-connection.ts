import { EyrieError } from '../../domain/errors.js';
import type { Log } from '../../ports/log.js';
import type { QueueSettings } from './queue-settings.js';
import type { RedisClient } from './redis/connect-redis.js';
import { reasonOf } from './redis/reason-of.js';
import { SampledErrors } from './sampled-errors.js';

export function unavailable(reason: string, cause?: unknown): EyrieError {
  return new EyrieError(
    'queue_unavailable',
    `The work queue (Redis) did not do its part: ${reason}. Nothing that was accepted is lost; check that Redis runs, then try again.`,
    { cause },
  );
}

function toQueueError(error: unknown): unknown {
  if (error instanceof EyrieError) return error;
  const message = reasonOf(error);
  return unavailable(message.startsWith('OOM') ? 'its memory is full (maxmemory)' : message, error);
}

/** The connection for short calls. It fails fast: a caller learns within seconds that Redis is away, and nothing is sent late. */
export class QueueConnection<Client extends RedisClient = RedisClient> {
  readonly redis: Client;
  readonly #settings: QueueSettings;
  readonly #onSilence: () => void;

  /** `onSilence` is called when a call gets no connection or no answer in time, before it fails. */
  constructor(redis: Client, settings: QueueSettings, log: Log, onSilence: () => void = () => undefined) {
    this.#settings = settings;
    this.#onSilence = onSilence;
    this.redis = redis;
    const { note } = new SampledErrors(log, 'queue.connection_error', 'calls');
    redis.on('error', note);
    // Of one Sentinel that could not tell where the master is.
    redis.on('sentinelError', note);
  }

  /** Runs a step that talks to Redis; every failure becomes `queue_unavailable`. */
  async call<T>(step: () => Promise<T>): Promise<T> {
    try {
      await this.#ready();
      return await within(this.#settings.callTimeoutMs, step(), 'no answer in time', this.#onSilence);
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
        this.#onSilence();
        reject(unavailable('there is no connection'));
      }, this.#settings.connectWaitMs);
      this.redis.once('ready', settle);
    });
  }
}

/** The promise's value, or `queue_unavailable` after `ms`, when `onLate` is called. */
export async function within<T>(ms: number, promise: Promise<T>, reason: string, onLate?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onLate?.();
      reject(unavailable(reason));
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
