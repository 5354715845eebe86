import { Queue } from 'bullmq';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { Backlog, Consumer, Job, JobHandler, JobKind, JobQueue } from '../../ports/job-queue.js';
import type { Log } from '../../ports/log.js';
import { BullConsumer } from './bull-consumer.js';
import type { WorkerSetup } from './held-worker.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';
import type { RedisTarget } from './redis/redis-target.js';
import { SampledErrors } from './sampled-errors.js';
import { ShardOrder } from './order/shard-order.js';
import { StallWatcher } from './stall-watcher.js';

const idPattern = /^(?!\d+$)[A-Za-z0-9_-]{1,256}$/;
/** Payloads are pointers. This keeps prompts out of Redis whatever a caller does. */
const payloadBytesMax = 2048;
const eventsKept = 1000;
const liveStates: ReadonlySet<string> = new Set(['waiting', 'prioritized', 'delayed', 'active']);

function check(job: Job): void {
  const { id, priority } = job;
  if (!idPattern.test(id))
    throw new EyrieError('invalid_value', `Invalid job id '${id.slice(0, 80)}'.`, { param: 'id' });
  if (priority !== undefined && !(Number.isFinite(priority) && priority >= 0))
    throw new EyrieError('invalid_value', `Invalid job priority ${priority}: a finite number from 0 on is allowed.`, {
      param: 'priority',
    });
  if (Buffer.byteLength(JSON.stringify(job.payload)) > payloadBytesMax)
    throw new EyrieError('invalid_value', `The payload of job '${id}' is larger than ${payloadBytesMax} bytes.`, {
      param: 'payload',
    });
}

/**
 * The work queue on BullMQ, one BullMQ queue per kind of job. Ended jobs are removed at once, so that their ids can be used again.
 * Shards wait in the `ShardOrder` until a consumer is about to do them; what is said of shards counts both places.
 */
export class BullQueue implements JobQueue {
  readonly #connection: QueueConnection;
  readonly #redis: RedisTarget;
  readonly #settings: QueueSettings;
  readonly #log: Log;
  readonly #queues = new Map<JobKind, Queue>();
  readonly #order: ShardOrder;

  constructor(connection: QueueConnection, redis: RedisTarget, settings: QueueSettings, log: Log) {
    this.#connection = connection;
    this.#redis = redis;
    this.#settings = settings;
    this.#log = log;
    this.#order = new ShardOrder(connection, settings);
  }

  async add(kind: JobKind, jobs: readonly Job[]): Promise<void> {
    jobs.forEach(check);
    if (kind !== 'shard') return this.#addToBull(kind, jobs);
    const atOnce = jobs.filter(({ delayMs }) => !delayMs);
    for (let from = 0; from < atOnce.length; from += bounds.jobsPerAddMax) {
      const idle = await this.#order.add(atOnce.slice(from, from + bounds.jobsPerAddMax));
      // Wakes one of them. If that fails it looks for itself a little later.
      if (idle) await this.#feed(1, 0, 0, () => undefined).catch(() => undefined);
    }
    if (atOnce.length === jobs.length) return;
    const later = jobs.filter(({ delayMs }) => delayMs);
    const unknown = new Set(await this.#order.missing(later.map(({ id }) => id)));
    await this.#addToBull(
      kind,
      later.filter(({ id }) => unknown.has(id)),
    );
  }

  async has(kind: JobKind, id: string): Promise<boolean> {
    // In this order: a job moves from the one to the other.
    if (kind === 'shard' && (await this.#order.has(id))) return true;
    return liveStates.has(await this.#call(kind, (queue) => queue.getJobState(id)));
  }

  async remove(kind: JobKind, id: string): Promise<void> {
    if (kind === 'shard') await this.#order.remove(id);
    await this.#call(kind, (queue) => queue.remove(id));
  }

  async backlog(kind: JobKind): Promise<Backlog> {
    if (kind === 'shard') return this.#order.backlog();
    // `prioritized`: jobs that an earlier version has added.
    const counts = await this.#call(kind, (queue) => queue.getJobCounts('wait', 'prioritized', 'active', 'delayed'));
    return {
      waiting: (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
    };
  }

  async missing(kind: JobKind, ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
    if (kind === 'shard') return this.#order.missing(ids);
    return this.#call(kind, async (queue) => {
      const { redis } = this.#connection;
      const keys = ids.map((id) => queue.toKey(id));
      // Ended jobs are removed at once: whatever has a key is held. Mostly all are, and one command says so.
      if ((await redis.exists(...keys)) === keys.length) return [];
      const present = await Promise.all(keys.map((key) => redis.exists(key)));
      return ids.filter((_, at) => present[at] === 0);
    });
  }

  async front(kind: JobKind): Promise<number | null> {
    return kind === 'shard' ? this.#order.front() : null;
  }

  async clock(kind: JobKind): Promise<number | null> {
    return kind === 'shard' ? this.#order.clock() : null;
  }

  async raiseClock(kind: JobKind, value: number): Promise<void> {
    if (kind === 'shard') await this.#order.raiseClock(value);
  }

  consume(kind: JobKind, { concurrency }: { readonly concurrency: number }, handler: JobHandler): Consumer {
    return new BullConsumer(
      {
        ...this.#setup(kind),
        kind,
        concurrency,
        backlog: () => this.backlog(kind),
        ...(kind === 'shard'
          ? { feed: (free, expected, onTaken) => this.#feed(free, expected, bounds.feedIdleMs, onTaken) }
          : {}),
      },
      handler,
    );
  }

  watchStalled(kind: JobKind): Consumer {
    return new StallWatcher(this.#setup(kind));
  }

  /** Moves the next shards to BullMQ. One that is added but not confirmed is confirmed or added again when its claim has ended. */
  async #feed(free: number, expected: number, idleMs: number, onTaken: (count: number) => void): Promise<void> {
    const started = performance.now();
    const taken = await this.#order.take(free, expected, idleMs);
    // A process that was stopped for long must not add what others may have done meanwhile.
    if (taken.length === 0 || performance.now() - started > this.#order.claimMs / 2) return;
    onTaken(taken.length);
    await this.#addToBull('shard', taken);
    await this.#order.confirm(taken);
  }

  async #addToBull(kind: JobKind, jobs: readonly Pick<Job, 'id' | 'payload' | 'delayMs'>[]): Promise<void> {
    const { attemptsMax, retryDelayMs } = this.#settings;
    for (let from = 0; from < jobs.length; from += bounds.jobsPerAddMax) {
      const chunk = jobs.slice(from, from + bounds.jobsPerAddMax).map(({ id, payload, delayMs }) => ({
        name: kind,
        data: payload,
        opts: {
          jobId: id,
          ...(delayMs === undefined ? {} : { delay: delayMs }),
          attempts: attemptsMax,
          backoff: { type: 'exponential', delay: retryDelayMs, jitter: 0.5 },
          removeOnComplete: true,
          removeOnFail: true,
          stackTraceLimit: 0,
        },
      }));
      await this.#call(kind, (queue) => queue.addBulk(chunk));
    }
  }

  #setup(kind: JobKind): WorkerSetup {
    return { kind, redis: this.#redis, settings: this.#settings, log: this.#log };
  }

  #call<T>(kind: JobKind, step: (queue: Queue) => Promise<T>): Promise<T> {
    return this.#connection.call(async () => step(await this.#queue(kind)));
  }

  /** BullMQ's queue object reads the server's version once; if that fails it is of no use any more and is made anew. */
  async #queue(kind: JobKind): Promise<Queue> {
    const present = this.#queues.get(kind);
    if (present) return present;
    const queue = new Queue(kind, {
      connection: this.#connection.redis,
      prefix: this.#settings.prefix,
      streams: { events: { maxLen: eventsKept } },
    });
    queue.on('error', new SampledErrors(this.#log, 'queue.connection_error', kind).note);
    await queue.waitUntilReady();
    this.#queues.set(kind, queue);
    return queue;
  }
}
