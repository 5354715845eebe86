import { bounds } from '../../domain/bounds.js';
import type { Consumer, JobHandler, JobKind } from '../../ports/job-queue.js';
import { HeldWorker, type WorkerSetup } from './held-worker.js';
import { toProcessor } from './process-job.js';
import { within } from './queue-connection.js';
import { SampledErrors } from './sampled-errors.js';
import { JobFeeder, type FeederSetup } from './order/job-feeder.js';
import { tenantOf } from './order/job-order.js';
import { reasonOf } from './redis/reason-of.js';

export interface ConsumerSetup extends WorkerSetup {
  readonly kind: JobKind;
  readonly concurrency: number;
  /** How many jobs wait in BullMQ, for a consumer to start them. */
  readonly atBull: () => Promise<number>;
  readonly feed: FeederSetup['feed'];
}

/**
 * Does the jobs of one kind. BullMQ workers have a history of falling silent after a reconnect, so a watchdog looks whether jobs
 * wait while none is taken, and then replaces the worker; jobs that the old one holds go on and keep their locks.
 */
export class BullConsumer implements Consumer {
  readonly #setup: ConsumerSetup;
  readonly #handler: JobHandler;
  readonly #running = new Set<Promise<void>>();
  readonly #workers = new Set<HeldWorker>();
  readonly #watchdog: NodeJS.Timeout;
  readonly #feeder: JobFeeder;
  readonly #held = new Map<string, number>();
  #lastTakenMs = performance.now();
  /** How long the job that ended last took. */
  #lastJobMs = Infinity;
  #closing: Promise<void> | null = null;
  #paused = false;

  constructor(setup: ConsumerSetup, handler: JobHandler) {
    this.#setup = setup;
    this.#handler = handler;
    this.#start();
    const { feed, log, kind, concurrency } = setup;
    this.#feeder = new JobFeeder({
      free: () => {
        if (this.#paused) return 0;
        // Of other kinds one place less in use for a moment matters less than who comes next.
        const ahead = kind === 'shard' && this.#lastJobMs < bounds.feedAheadMs ? concurrency : 0;
        return concurrency - this.#running.size + ahead;
      },
      held: () => this.#held,
      feed,
      onError: new SampledErrors(log, 'queue.feed_failed', kind).note,
    });
    this.#watchdog = setInterval(() => void this.#watch(), setup.settings.watchdogMs / 4);
    this.#watchdog.unref();
  }

  active(): number {
    return this.#running.size;
  }

  pause(): void {
    this.#paused = true;
    for (const worker of this.#workers) void worker.stopFetching();
  }

  resume(): void {
    this.#paused = false;
    this.#lastTakenMs = performance.now();
    if (this.#closing) return;
    for (const worker of this.#workers) void worker.fetchAgain();
    this.#feeder.nudge();
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #start(): void {
    const { kind, log, concurrency } = this.#setup;
    const tracked: JobHandler = (job, signal) => {
      const startedMs = performance.now();
      const tenant = tenantOf(job.payload);
      this.#count(tenant, 1);
      const run = this.#handler(job, signal);
      const end = (): void => {
        this.#running.delete(ended);
        this.#count(tenant, -1);
        this.#lastJobMs = performance.now() - startedMs;
        this.#feeder.nudge();
      };
      const ended: Promise<void> = run.then(end, end);
      this.#running.add(ended);
      this.#feeder.started(tenant);
      return run;
    };
    const worker = new HeldWorker(this.#setup, toProcessor(kind, tracked, log), concurrency);
    this.#workers.add(worker);
    worker.bull.on('active', () => {
      this.#lastTakenMs = performance.now();
    });
    worker.bull.on('lockRenewalFailed', (ids) => {
      for (const id of ids) if (worker.bull.cancelJob(id, 'lease_lost')) log.warn('job.lease_lost', { kind, job: id });
    });
    worker.bull.on('failed', (job) => {
      if (job?.deferredFailure)
        log.error('job.gave_up', { kind, job: job.id, code: 'worker_crashed', stalls: job.stalledCounter });
    });
  }

  #count(tenant: string, change: number): void {
    const count = (this.#held.get(tenant) ?? 0) + change;
    if (count > 0) this.#held.set(tenant, count);
    else this.#held.delete(tenant);
  }

  async #watch(): Promise<void> {
    const { kind, log, concurrency, settings, atBull } = this.#setup;
    const now = performance.now();
    if (this.#paused || this.#running.size >= concurrency) this.#lastTakenMs = now;
    if (this.#closing || now - this.#lastTakenMs < settings.watchdogMs) return;
    // While Redis cannot be asked there is nothing to conclude.
    const waiting = await atBull().catch(() => 0);
    this.#lastTakenMs = now;
    if (this.#closing || this.#paused || waiting === 0) return;
    log.warn('queue.worker_replaced', { kind, waiting, active: this.#running.size });
    for (const worker of this.#workers) void this.#retire(worker);
    this.#start();
  }

  async #retire(worker: HeldWorker): Promise<void> {
    const { kind, log } = this.#setup;
    try {
      await worker.retire();
    } catch (error) {
      // Nobody waits for it. What it may still hold is found as stalled.
      log.warn('queue.retire_failed', { kind, reason: reasonOf(error) });
    } finally {
      this.#workers.delete(worker);
    }
  }

  async #close(graceMs: number): Promise<void> {
    clearInterval(this.#watchdog);
    // What it leaves undone stays in the order.
    await within(this.#setup.settings.closeTimeoutMs, this.#feeder.close(), 'no answer in time').catch(() => undefined);
    const workers = [...this.#workers];
    await Promise.all(workers.map((worker) => worker.stopFetching()));
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    const idle = async (): Promise<void> => {
      while (this.#running.size > 0) await Promise.all(this.#running);
    };
    await Promise.race([idle(), grace]);
    clearTimeout(timer);
    for (const worker of workers) worker.bull.cancelAllJobs('shutdown');
    await Promise.all(workers.map((worker) => worker.close()));
  }
}
