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
import { StallWatcher } from './stall-watcher.js';

/** Highest number that BullMQ takes. */
const priorityMax = 2 ** 21 - 1;
/** Jobs without a priority would overtake all that have one, so they get the last of all, which is kept for them. */
const toPriority = (priority?: number): number =>
  priority === undefined ? priorityMax : Math.min(priority, priorityMax - 1);
const idPattern = /^(?!\d+$)[A-Za-z0-9_-]{1,256}$/;
/** Payloads are pointers. This keeps prompts out of Redis whatever a caller does. */
const payloadBytesMax = 2048;
const eventsKept = 1000;
const liveStates: ReadonlySet<string> = new Set(['waiting', 'prioritized', 'delayed', 'active']);

function check(job: Job): void {
  const { id, priority } = job;
  if (!idPattern.test(id))
    throw new EyrieError('invalid_value', `Invalid job id '${id.slice(0, 80)}'.`, { param: 'id' });
  if (priority !== undefined && (!Number.isInteger(priority) || priority < 1 || priority > priorityMax))
    throw new EyrieError('invalid_value', `Invalid job priority ${priority}: 1 to ${priorityMax} is allowed.`, {
      param: 'priority',
    });
  if (Buffer.byteLength(JSON.stringify(job.payload)) > payloadBytesMax)
    throw new EyrieError('invalid_value', `The payload of job '${id}' is larger than ${payloadBytesMax} bytes.`, {
      param: 'payload',
    });
}

/** The work queue on BullMQ, one BullMQ queue per kind of job. Ended jobs are removed at once, so that their ids can be used again. */
export class BullQueue implements JobQueue {
  readonly #connection: QueueConnection;
  readonly #redis: RedisTarget;
  readonly #settings: QueueSettings;
  readonly #log: Log;
  readonly #queues = new Map<JobKind, Queue>();

  constructor(connection: QueueConnection, redis: RedisTarget, settings: QueueSettings, log: Log) {
    this.#connection = connection;
    this.#redis = redis;
    this.#settings = settings;
    this.#log = log;
  }

  async add(kind: JobKind, jobs: readonly Job[]): Promise<void> {
    const { attemptsMax, retryDelayMs } = this.#settings;
    jobs.forEach(check);
    for (let from = 0; from < jobs.length; from += bounds.jobsPerAddMax) {
      const chunk = jobs.slice(from, from + bounds.jobsPerAddMax).map(({ id, payload, priority, delayMs }) => ({
        name: kind,
        data: payload,
        opts: {
          jobId: id,
          priority: toPriority(priority),
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

  async has(kind: JobKind, id: string): Promise<boolean> {
    return liveStates.has(await this.#call(kind, (queue) => queue.getJobState(id)));
  }

  async remove(kind: JobKind, id: string): Promise<void> {
    await this.#call(kind, (queue) => queue.remove(id));
  }

  async backlog(kind: JobKind): Promise<Backlog> {
    const counts = await this.#call(kind, (queue) => queue.getJobCounts('wait', 'prioritized', 'active', 'delayed'));
    return {
      waiting: (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
    };
  }

  async missing(kind: JobKind, ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
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
    const [next] = await this.#call(kind, (queue) => queue.getPrioritized(0, 0));
    return next ? next.priority : null;
  }

  consume(kind: JobKind, { concurrency }: { readonly concurrency: number }, handler: JobHandler): Consumer {
    return new BullConsumer({ ...this.#setup(kind), kind, concurrency, backlog: () => this.backlog(kind) }, handler);
  }

  watchStalled(kind: JobKind): Consumer {
    return new StallWatcher(this.#setup(kind));
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
