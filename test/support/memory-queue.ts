import { EyrieError, isRetryable } from '../../src/domain/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type {
  Backlog,
  ConsumeOptions,
  Consumer,
  Job,
  JobHandler,
  JobKind,
  JobQueue,
} from '../../src/ports/job-queue.js';

interface Entry {
  readonly job: Job;
  readonly seq: number;
  /** Virtual time at which it is due among the jobs with a flow; Infinity for one without. */
  readonly dueAt: number;
  state: 'waiting' | 'delayed' | 'active';
  /** Put back after a stall: before all others, as in the real queue. */
  front: boolean;
  attempt: number;
  stalls: number;
  /** Counts the starts, so that an answer of an earlier holder is known as such. */
  hold: number;
}

export interface MemoryQueueSettings {
  readonly lockMs: number;
  readonly stalledCheckMs: number;
  readonly stalledMax: number;
  readonly attemptsMax: number;
  readonly retryDelayMs: number;
}

const defaults: MemoryQueueSettings = {
  lockMs: 60_000,
  stalledCheckMs: 15_000,
  stalledMax: 100,
  attemptsMax: 5,
  retryDelayMs: 1000,
};

/** The work queue in memory. Time passes only on its clock, and jobs are taken in one fixed order, so a run can be repeated. */
export class MemoryQueue implements JobQueue {
  /** Every call throws `queue_unavailable` while set; jobs that are held go on. */
  unavailable = false;
  /** Ids of all jobs that were taken in, in their order. */
  readonly added: string[] = [];
  readonly #clock: Clock;
  readonly #settings: MemoryQueueSettings;
  readonly #kinds = new Map<JobKind, Map<string, Entry>>();
  readonly #consumers = new Set<MemoryConsumer>();
  /** Of each kind: the virtual time reached, and when the next job of each tenant is due. */
  readonly #flows = new Map<JobKind, { clock: number; readonly next: Map<string, number> }>();
  #seq = 0;
  #reached: number | null = null;

  constructor(clock: Clock, settings: Partial<MemoryQueueSettings> = {}) {
    this.#clock = clock;
    this.#settings = { ...defaults, ...settings };
  }

  add(kind: JobKind, jobs: readonly Job[]): Promise<void> {
    return this.#call(() => {
      const entries = this.#entries(kind);
      for (const job of jobs) {
        if (entries.has(job.id)) continue;
        this.added.push(job.id);
        const entry: Entry = {
          // As through JSON: what is added later cannot be changed by the adder.
          job: { ...job, payload: JSON.parse(JSON.stringify(job.payload)) as unknown },
          seq: this.#seq++,
          dueAt: this.#due(kind, job),
          state: 'waiting',
          front: false,
          attempt: 0,
          stalls: 0,
          hold: 0,
        };
        entries.set(job.id, entry);
        if (job.delayMs) this.#delay(kind, entry, job.delayMs);
      }
      this.#pump();
    });
  }

  has(kind: JobKind, id: string): Promise<boolean> {
    return this.#call(() => this.#entries(kind).has(id));
  }

  remove(kind: JobKind, id: string): Promise<void> {
    return this.#call(() => {
      const entries = this.#entries(kind);
      if (entries.get(id)?.state !== 'active') entries.delete(id);
    });
  }

  backlog(kind: JobKind): Promise<Backlog> {
    return this.#call(() => {
      const counts = { waiting: 0, active: 0, delayed: 0 };
      for (const { state } of this.#entries(kind).values()) counts[state]++;
      return counts;
    });
  }

  missing(kind: JobKind, ids: readonly string[]): Promise<string[]> {
    return this.#call(() => ids.filter((id) => !this.#entries(kind).has(id)));
  }

  front(kind: JobKind): Promise<number | null> {
    return this.#call(() => {
      const waiting = [...this.#entries(kind).values()].filter(({ state, front }) => state === 'waiting' && !front);
      const [next] = waiting.toSorted((a, b) => (before(kind, a, b) ? -1 : 1));
      return kind === 'shard' ? (next?.job.priority ?? null) : null;
    });
  }

  clock(kind: JobKind): Promise<number | null> {
    return this.#call(() => (kind === 'shard' ? this.#reached : null));
  }

  raiseClock(kind: JobKind, value: number): Promise<void> {
    return this.#call(() => {
      if (kind === 'shard') this.#reached = Math.max(this.#reached ?? value, value);
    });
  }

  consume(kind: JobKind, options: ConsumeOptions, handler: JobHandler): MemoryConsumer {
    const consumer = new MemoryConsumer(kind, options, handler, this.#clock, {
      gone: (ended) => this.#consumers.delete(ended),
      pump: () => this.#pump(),
    });
    this.#consumers.add(consumer);
    this.#pump();
    return consumer;
  }

  watchStalled(kind: JobKind): MemoryConsumer {
    return this.consume(kind, { concurrency: 0 }, () => Promise.resolve());
  }

  /** `kill -9` of the consumer's process: its handlers are told nothing, and what they do later counts for nothing. */
  kill(consumer: MemoryConsumer): void {
    this.#consumers.delete(consumer);
    consumer.dead = true;
    for (const [id, { entry, hold }] of consumer.held) void this.#recover(consumer.kind, id, entry, hold);
  }

  /** Redis was emptied: all jobs are gone, and those who hold one learn it. */
  wipe(): void {
    this.#kinds.clear();
    this.#flows.clear();
    this.#reached = null;
    for (const consumer of this.#consumers) for (const { abort } of consumer.held.values()) abort.abort('lease_lost');
  }

  async #recover(kind: JobKind, id: string, entry: Entry, hold: number): Promise<void> {
    const { lockMs, stalledCheckMs, stalledMax } = this.#settings;
    await this.#clock.sleep(lockMs);
    // Only a living consumer or watcher of the kind looks for stalled jobs.
    do await this.#clock.sleep(stalledCheckMs);
    while (![...this.#consumers].some((consumer) => consumer.kind === kind));
    if (this.#entries(kind).get(id) !== entry || entry.hold !== hold) return;
    entry.stalls++;
    entry.state = 'waiting';
    entry.front = true;
    if (entry.stalls > stalledMax) this.#entries(kind).delete(id);
    this.#pump();
  }

  #entries(kind: JobKind): Map<string, Entry> {
    const entries = this.#kinds.get(kind) ?? new Map<string, Entry>();
    this.#kinds.set(kind, entries);
    return entries;
  }

  #flowsOf(kind: JobKind): { clock: number; readonly next: Map<string, number> } {
    const flows = this.#flows.get(kind) ?? { clock: 0, next: new Map<string, number>() };
    this.#flows.set(kind, flows);
    return flows;
  }

  /** When a job of a tenant is due: one `cost / weight` after the one before, and not before the time that is reached. */
  #due(kind: JobKind, { flow, delayMs }: Job): number {
    if (!flow || delayMs) return Infinity;
    const flows = this.#flowsOf(kind);
    const due = Math.max(flows.clock, flows.next.get(flow.tenant) ?? 0);
    flows.next.set(flow.tenant, due + flow.cost / flow.weight);
    return due;
  }

  #delay(kind: JobKind, entry: Entry, ms: number): void {
    entry.state = 'delayed';
    void this.#clock.sleep(ms).then(() => {
      if (this.#entries(kind).get(entry.job.id) !== entry) return;
      entry.state = 'waiting';
      this.#pump();
    });
  }

  #pump(): void {
    for (const consumer of this.#consumers)
      for (let entry = this.#next(consumer); entry; entry = this.#next(consumer)) void this.#run(consumer, entry);
  }

  #next(consumer: MemoryConsumer): Entry | undefined {
    if (this.unavailable || consumer.closing || consumer.paused || consumer.held.size >= consumer.concurrency)
      return undefined;
    let best: Entry | undefined;
    for (const entry of this.#entries(consumer.kind).values())
      if (entry.state === 'waiting' && consumer.mayTake(entry.job) && (!best || before(consumer.kind, entry, best)))
        best = entry;
    return best;
  }

  async #run(consumer: MemoryConsumer, entry: Entry): Promise<void> {
    const { kind } = consumer;
    const { id, payload } = entry.job;
    const abort = new AbortController();
    const hold = ++entry.hold;
    entry.state = 'active';
    entry.front = false;
    const flows = this.#flowsOf(kind);
    if (entry.dueAt < Infinity) flows.clock = Math.max(flows.clock, entry.dueAt);
    if (kind === 'shard' && this.#reached !== null)
      this.#reached = Math.max(this.#reached, entry.job.priority ?? -Infinity);
    consumer.held.set(id, { entry, hold, abort });
    let failure: { readonly error: unknown } | null = null;
    try {
      await consumer.handler({ id, payload, attempt: entry.attempt, stalls: entry.stalls }, abort.signal);
    } catch (error) {
      failure = { error };
    }
    if (consumer.dead) return;
    consumer.held.delete(id);
    const entries = this.#entries(kind);
    if (entries.get(id) === entry && entry.hold === hold) {
      if (!failure) entries.delete(id);
      else if (abort.signal.reason === 'shutdown') entry.state = 'waiting';
      else if (isRetryable(failure.error) && ++entry.attempt < this.#settings.attemptsMax)
        this.#delay(kind, entry, this.#settings.retryDelayMs * 2 ** (entry.attempt - 1));
      else entries.delete(id);
    }
    consumer.release();
    this.#pump();
  }

  #call<T>(step: () => T): Promise<T> {
    if (this.unavailable) return Promise.reject(new EyrieError('queue_unavailable', 'The fake queue is away.'));
    return Promise.resolve(step());
  }
}

/** Shards go by priority, other jobs by when they are due. */
function before(kind: JobKind, a: Entry, b: Entry): boolean {
  if (a.front !== b.front) return a.front;
  if (kind !== 'shard') return a.dueAt === b.dueAt ? a.seq < b.seq : a.dueAt < b.dueAt;
  const [ofA, ofB] = [a.job.priority ?? Infinity, b.job.priority ?? Infinity];
  if (ofA !== ofB) return ofA < ofB;
  const [restOfA, restOfB] = [a.job.rest ?? 0, b.job.rest ?? 0];
  return restOfA === restOfB ? a.seq < b.seq : restOfA < restOfB;
}

interface Hold {
  readonly entry: Entry;
  readonly hold: number;
  readonly abort: AbortController;
}

export class MemoryConsumer implements Consumer {
  readonly kind: JobKind;
  readonly concurrency: number;
  readonly #perTenant: number;
  readonly handler: JobHandler;
  readonly held = new Map<string, Hold>();
  closing = false;
  paused = false;
  dead = false;
  readonly #clock: Clock;
  readonly #queue: { readonly gone: (consumer: MemoryConsumer) => void; readonly pump: () => void };
  #waiters: (() => void)[] = [];

  constructor(
    kind: JobKind,
    { concurrency, perTenant = Infinity }: ConsumeOptions,
    handler: JobHandler,
    clock: Clock,
    queue: { readonly gone: (consumer: MemoryConsumer) => void; readonly pump: () => void },
  ) {
    this.kind = kind;
    this.concurrency = concurrency;
    this.#perTenant = perTenant;
    this.handler = handler;
    this.#clock = clock;
    this.#queue = queue;
  }

  active(): number {
    return this.held.size;
  }

  mayTake({ flow }: Job): boolean {
    if (!flow) return true;
    const own = [...this.held.values()].filter(({ entry }) => entry.job.flow?.tenant === flow.tenant);
    return own.length < this.#perTenant;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#queue.pump();
  }

  /** Wakes those that wait for the consumer to become idle. */
  release(): void {
    if (this.held.size > 0) return;
    for (const waiter of this.#waiters) waiter();
    this.#waiters = [];
  }

  async close(graceMs: number): Promise<void> {
    this.closing = true;
    if (this.held.size > 0) await Promise.race([this.#idle(), this.#clock.sleep(graceMs)]);
    for (const { abort } of this.held.values()) abort.abort('shutdown');
    if (this.held.size > 0) await this.#idle();
    this.#queue.gone(this);
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }
}
