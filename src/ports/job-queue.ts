/** The steps that are done by jobs. One queue each, so that CPU work never waits behind GPU work. */
export const jobKinds = ['plan', 'shard', 'live', 'finish', 'deliver'] as const;
export type JobKind = (typeof jobKinds)[number];

export interface Job {
  /** Deterministic: adding a job whose id is waiting, delayed or active does nothing. `[A-Za-z0-9_-]`, not all digits. */
  readonly id: string;
  /** Small JSON of pointers. */
  readonly payload: unknown;
  /** Of jobs of kind `shard`: any finite number from 0 on, lower first, equal ones in their order; those without one come last. */
  readonly priority?: number;
  /** Orders jobs of equal priority, lower first: what rounding took from a priority that is finer than a float64. 0 when absent. */
  readonly rest?: number;
  /**
   * Of jobs of all kinds but `shard`: whose they are, how much of its share one takes, and the tenant's weight, both above 0. Tenants that
   * wait are served in turn, by their weights; a tenant's own jobs keep their order. The payload has the same `tenant`. Those without
   * come last. A job that is delayed, tried again or handed back has no flow any more.
   */
  readonly flow?: { readonly tenant: string; readonly cost: number; readonly weight: number };
  readonly delayMs?: number;
}

export interface RunningJob {
  readonly id: string;
  readonly payload: unknown;
  /** 0 for the first start. */
  readonly attempt: number;
  /** How often a worker died or lost its lock while it held this job. */
  readonly stalls: number;
}

/**
 * Does a job. Resolving removes the job. Throwing a retryable error lets the queue try again with a delay, up to its limit of
 * attempts; any other error removes the job (the janitor puts back what the object store still asks for). `signal.reason` is a
 * `StopCause`: `lease_lost` or `shutdown`.
 */
export type JobHandler = (job: RunningJob, signal: AbortSignal) => Promise<void>;

export interface Consumer {
  /** Jobs being done right now. */
  active(): number;
  /** Takes no further job until `resume`, but for one that is on its way already; those held go on. */
  pause(): void;
  resume(): void;
  /** Takes no further job, waits up to `graceMs` for those held, then aborts them with `shutdown` and hands them back. */
  close(graceMs: number): Promise<void>;
}

export interface Backlog {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
}

export interface ConsumeOptions {
  readonly concurrency: number;
  /**
   * Jobs of one tenant at once, of those with a flow; absent: any number. Others wait, and those of other tenants pass them. With several
   * consumers of a kind, one may now and then hold a few more.
   */
  readonly perTenant?: number;
}

/** The work queue: a cache of what the object store says is to be done. Every failure throws `queue_unavailable`. */
export interface JobQueue {
  /** Adds jobs in their order. Not atomic: after an error some may have been added; adding all of them again is right. */
  add(kind: JobKind, jobs: readonly Job[]): Promise<void>;
  /** Whether the job is waiting, delayed or being done. */
  has(kind: JobKind, id: string): Promise<boolean>;
  /** Takes a job back that waits or is delayed. One that is being done, or unknown, is left alone. */
  remove(kind: JobKind, id: string): Promise<void>;
  backlog(kind: JobKind): Promise<Backlog>;
  /** Those of the ids that the queue does not hold: neither waiting, delayed nor being done. Costs one or two commands, not one per id. */
  missing(kind: JobKind, ids: readonly string[]): Promise<string[]>;
  /** Priority of the waiting job that is next by its priority; null when none with a priority waits. */
  front(kind: JobKind): Promise<number | null>;
  /**
   * The highest priority that was ever given to a consumer, or `raiseClock` if that was higher. null: not known, as in a queue that is
   * new or was emptied; it stays so until `raiseClock`. Only kind `shard` has one.
   */
  clock(kind: JobKind): Promise<number | null>;
  /** Sets the clock, which from then on follows what is given out. It never goes back: a lower value changes nothing. */
  raiseClock(kind: JobKind, value: number): Promise<void>;
  consume(kind: JobKind, options: ConsumeOptions, handler: JobHandler): Consumer;
  /** Watches for jobs of dead workers although this process does none of that kind. */
  watchStalled(kind: JobKind): Consumer;
}
