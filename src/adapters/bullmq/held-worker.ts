import { Worker, type Processor } from 'bullmq';
import type { Log } from '../../ports/log.js';
import { within } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';
import { connectForWorker, type RedisClient } from './redis/connect-redis.js';
import type { RedisTarget } from './redis/redis-target.js';
import { SampledErrors } from './sampled-errors.js';

export interface WorkerSetup {
  readonly kind: string;
  readonly redis: RedisTarget;
  readonly settings: QueueSettings;
  readonly log: Log;
}

/** A BullMQ worker with its connections, which close() ends within a bounded time even when Redis is away. */
export class HeldWorker {
  readonly bull: Worker;
  readonly #redis: RedisClient;
  readonly #closeTimeoutMs: number;
  #ended = false;

  /** Without a processor it only watches for stalled jobs. */
  constructor({ kind, redis, settings, log }: WorkerSetup, processor: Processor | null, concurrency: number) {
    this.#closeTimeoutMs = settings.closeTimeoutMs;
    this.#redis = connectForWorker(redis, () => this.#ended);
    // BullMQ reports them below, as long as it listens.
    this.#redis.on('error', () => undefined);
    // BullMQ makes a second connection like this one, on which it waits for jobs.
    this.bull = new Worker(kind, processor, {
      connection: this.#redis,
      prefix: settings.prefix,
      concurrency,
      lockDuration: settings.lockMs,
      stalledInterval: settings.stalledCheckMs,
      maxStalledCount: settings.stalledMax,
      maxStartedAttempts: settings.startsMax,
      runRetryDelay: settings.commandRetryMs,
    });
    this.bull.on('error', new SampledErrors(log, 'queue.worker_error', kind).note);
    // All workers look for stalled jobs. The one that found a job, and no other, is told.
    this.bull.on('stalled', (id) => log.warn('job.stalled', { kind, job: id }));
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
    try {
      await this.bull.close();
    } finally {
      this.#end();
    }
  }

  /** Waits for its jobs and ends its connections. */
  async close(): Promise<void> {
    try {
      await within(this.#closeTimeoutMs, this.bull.close(), 'a worker did not close in time');
    } catch {
      // What it still holds is found as stalled by another worker.
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#ended = true;
    this.#redis.disconnect();
  }
}
