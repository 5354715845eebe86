import { Worker, type ConnectionOptions, type Processor } from 'bullmq';
import type { RedisOptions } from 'ioredis';
import type { Log } from '../../ports/log.js';
import { reconnectDelayMs, sharedOptions, within } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';
import { SampledErrors } from './sampled-errors.js';

export interface WorkerSetup {
  readonly kind: string;
  readonly redis: RedisOptions;
  readonly settings: QueueSettings;
  readonly log: Log;
}

/** A BullMQ worker with its connections, which close() ends within a bounded time even when Redis is away. */
export class HeldWorker {
  readonly bull: Worker;
  readonly #closeTimeoutMs: number;
  #ended = false;

  /** Without a processor it only watches for stalled jobs. */
  constructor({ kind, redis, settings, log }: WorkerSetup, processor: Processor | null, concurrency: number) {
    this.#closeTimeoutMs = settings.closeTimeoutMs;
    this.bull = new Worker(kind, processor, {
      connection: {
        ...redis,
        ...sharedOptions,
        maxRetriesPerRequest: null,
        retryStrategy: (times) => (this.#ended ? null : reconnectDelayMs(times)),
      } as ConnectionOptions,
      prefix: settings.prefix,
      concurrency,
      lockDuration: settings.lockMs,
      stalledInterval: settings.stalledCheckMs,
      maxStalledCount: settings.stalledMax,
      maxStartedAttempts: settings.startsMax,
      runRetryDelay: settings.commandRetryMs,
    });
    this.bull.on('error', new SampledErrors(log, 'queue.worker_error', kind).note);
  }

  /** Takes no further job. */
  async stopFetching(): Promise<void> {
    await this.bull.pause(true);
  }

  /** Takes jobs again after `stopFetching`. */
  async fetchAgain(): Promise<void> {
    await this.bull.resume();
  }

  /** Takes no further job and ends once those it holds have ended, however long they take; their locks are kept meanwhile. */
  async retire(): Promise<void> {
    await this.bull.close();
    this.#ended = true;
  }

  /** Waits for its jobs and ends its connections. */
  async close(): Promise<void> {
    try {
      await within(this.#closeTimeoutMs, this.bull.close(), 'a worker did not close in time');
    } catch {
      // What it still holds is found as stalled by another worker.
    } finally {
      this.#ended = true;
    }
  }
}
