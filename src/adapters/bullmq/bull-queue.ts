import { Queue } from 'bullmq';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { Backlog, ConsumeOptions, Consumer, Job, JobHandler, JobKind, JobQueue } from '../../ports/job-queue.js';
import { isTenant } from '../../domain/object-keys.js';
import type { Log } from '../../ports/log.js';
import { BullConsumer } from './bull-consumer.js';
import type { WorkerSetup } from './held-worker.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';
import type { RedisTarget } from './redis/redis-target.js';
import { SampledErrors } from './sampled-errors.js';
import { JobOrder, tenantOf, type Need, type TakenJob } from './order/job-order.js';
import { StallWatcher } from './stall-watcher.js';

const idPattern = /^(?!\d+$)[A-Za-z0-9_-]{1,256}$/;
/** Payloads are pointers. This keeps prompts out of Redis whatever a caller does. */
const payloadBytesMax = 2048;
const eventsKept = 1000;
const liveStates: ReadonlySet<string> = new Set(['waiting', 'prioritized', 'delayed', 'active']);

function check(job: Job): void {
  const { id, priority, flow } = job;
  if (!idPattern.test(id))
    throw new EyrieError('invalid_value', `Invalid job id '${id.slice(0, 80)}'.`, { param: 'id' });
  if (priority !== undefined && !(Number.isFinite(priority) && priority >= 0))
    throw new EyrieError('invalid_value', `Invalid job priority ${priority}: a finite number from 0 on is allowed.`, {
      param: 'priority',
    });
  if (flow && !(isTenant(flow.tenant) && flow.tenant === tenantOf(job.payload) && flow.cost > 0 && flow.weight > 0))
    throw new EyrieError(
      'invalid_value',
      `Invalid flow of job '${id}': it needs the payload's tenant, and a cost and a weight above 0.`,
      { param: 'flow' },
    );
  if (Buffer.byteLength(JSON.stringify(job.payload)) > payloadBytesMax)
    throw new EyrieError('invalid_value', `The payload of job '${id}' is larger than ${payloadBytesMax} bytes.`, {
      param: 'payload',
    });
}

/**
 * The work queue on BullMQ, one BullMQ queue per kind of job. Ended jobs are removed at once, so that their ids can be used again.
 * Jobs wait in the `JobOrder` of their kind until a consumer is about to do them; what is said of jobs counts both places.
 */
export class BullQueue implements JobQueue {
  readonly #connection: QueueConnection;
  readonly #redis: RedisTarget;
  readonly #settings: QueueSettings;
  readonly #log: Log;
  readonly #queues = new Map<JobKind, Queue>();
  readonly #orders = new Map<JobKind, JobOrder>();

  constructor(connection: QueueConnection, redis: RedisTarget, settings: QueueSettings, log: Log) {
    this.#connection = connection;
    this.#redis = redis;
    this.#settings = settings;
    this.#log = log;
  }

  async add(kind: JobKind, jobs: readonly Job[]): Promise<void> {
    jobs.forEach(check);
    const order = this.#order(kind);
    const atOnce = jobs.filter(({ delayMs }) => !delayMs);
    for (let from = 0; from < atOnce.length; from += bounds.jobsPerAddMax) {
      const idle = await order.add(atOnce.slice(from, from + bounds.jobsPerAddMax));
      // Wakes one of them. If that fails it looks for itself a little later.
      if (idle) await this.#move(kind, () => order.takeForIdle()).catch(() => undefined);
    }
    if (atOnce.length === jobs.length) return;
    const later = jobs.filter(({ delayMs }) => delayMs);
    const unknown = new Set(await order.missing(later.map(({ id }) => id)));
    await this.#addToBull(
      kind,
      later.filter(({ id }) => unknown.has(id)),
    );
  }

  async has(kind: JobKind, id: string): Promise<boolean> {
    // In this order: a job moves from the one to the other.
    if (await this.#order(kind).has(id)) return true;
    return liveStates.has(await this.#call(kind, (queue) => queue.getJobState(id)));
  }

  async remove(kind: JobKind, id: string): Promise<void> {
    await this.#order(kind).remove(id);
    await this.#call(kind, (queue) => queue.remove(id));
  }

  async backlog(kind: JobKind): Promise<Backlog> {
    const { waiting, active, delayed } = await this.#order(kind).backlog();
    return { waiting, active, delayed };
  }

  missing(kind: JobKind, ids: readonly string[]): Promise<string[]> {
    return this.#order(kind).missing(ids);
  }

  async front(kind: JobKind): Promise<number | null> {
    return kind === 'shard' ? this.#order(kind).front() : null;
  }

  async clock(kind: JobKind): Promise<number | null> {
    return kind === 'shard' ? this.#order(kind).clock() : null;
  }

  async raiseClock(kind: JobKind, value: number): Promise<void> {
    if (kind === 'shard') await this.#order(kind).raiseClock(value);
  }

  consume(kind: JobKind, { concurrency, perTenant = 0 }: ConsumeOptions, handler: JobHandler): Consumer {
    const order = this.#order(kind);
    return new BullConsumer(
      {
        ...this.#setup(kind),
        kind,
        concurrency,
        atBull: async () => (await order.backlog()).atBull,
        feed: (free, expected, held, onTaken) => {
          const need: Need = { free, expected, idleMs: bounds.feedIdleMs, perTenant, held };
          return this.#move(kind, () => order.take(need), onTaken);
        },
      },
      handler,
    );
  }

  watchStalled(kind: JobKind): Consumer {
    return new StallWatcher(this.#setup(kind));
  }

  /** Moves jobs to BullMQ. One that is added but not confirmed is confirmed or added again when its claim has ended. */
  async #move(
    kind: JobKind,
    take: () => Promise<readonly TakenJob[]>,
    onTaken: (tenants: readonly string[]) => void = () => undefined,
  ): Promise<void> {
    const order = this.#order(kind);
    const started = performance.now();
    const taken = await take();
    // A process that was stopped for long must not add what others may have done meanwhile.
    if (taken.length === 0 || performance.now() - started > order.claimMs / 2) return;
    onTaken(taken.map(({ payload }) => tenantOf(payload)));
    await this.#addToBull(kind, taken);
    await order.confirm(taken);
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

  #order(kind: JobKind): JobOrder {
    let order = this.#orders.get(kind);
    if (!order) this.#orders.set(kind, (order = new JobOrder(this.#connection, this.#settings, kind)));
    return order;
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
