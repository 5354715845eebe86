import type { Job, JobKind } from '../../../ports/job-queue.js';
import type { QueueConnection } from '../queue-connection.js';
import type { QueueSettings } from '../queue-settings.js';
import {
  addScript,
  confirmScript,
  countScript,
  raiseScript,
  removeScript,
  takeScript,
  tieChars,
} from './job-order-scripts.js';

/** Of one tenant. */
export interface HeldJobs {
  readonly active: number;
  readonly expected: number;
}

/** What a consumer asks the order for. */
export interface Need {
  /** Jobs that it can do now, and how many of them it expects already. */
  readonly free: number;
  readonly expected: number;
  /** It counts as idle for so long when it gets less; 0: it does not. */
  readonly idleMs: number;
  /** Jobs of one tenant that it does at once; 0 = any number. */
  readonly perTenant: number;
  /** Of each tenant, how many it does and how many of its jobs it expects. */
  readonly held: ReadonlyMap<string, HeldJobs>;
}

/** A job on its way from the order to BullMQ. */
export interface TakenJob {
  readonly member: string;
  readonly id: string;
  readonly payload: unknown;
}

/** How many ids one command looks up. */
const idsPerCallMax = 1000;

const toScore = (priority: number | undefined): string => (priority === undefined ? '+inf' : String(priority));
const fromScore = (score: string): number | null => (score === 'inf' ? null : Number(score));

const bits = new DataView(new ArrayBuffer(8));

/** A number as 16 hex digits that sort as it does. */
export function sortable(value: number): string {
  // -0 would sort before 0.
  bits.setFloat64(0, value === 0 ? 0 : value);
  const raw = bits.getBigUint64(0);
  const ordered = raw >> 63n === 0n ? raw | (1n << 63n) : raw ^ 0xffff_ffff_ffff_ffffn;
  return ordered.toString(16).padStart(16, '0');
}

/** The tenant of a job that has a flow: the queue checks that the payload names it. */
export const tenantOf = (payload: unknown): string => {
  const { tenant } = (payload ?? {}) as { readonly tenant?: unknown };
  return typeof tenant === 'string' ? tenant : '';
};

/**
 * The jobs of one kind that wait, in a sorted set of our own: BullMQ's priorities are integers of 21 bits, too few for the range of
 * shares and a clock that only goes forward, and it knows no tenants. BullMQ gets a job when a consumer is about to do it, and has it
 * from then on: locks, stalls, retries and hand-backs are BullMQ's.
 *
 *     order      sorted set   tie-break and id, by priority or, with a flow, by when it is due
 *     jobs       hash         id -> tie-break, flow and payload, of all that wait or are claimed
 *     claims     hash         tie-break and id -> end of the claim and priority: taken out, not known to be BullMQ's yet
 *     clock      string       highest priority ever taken; absent until it is told
 *     flows      hash         of jobs with a flow: the clock, and of each tenant when its next is due and which one is in the order
 *     line:…     list         of a tenant: its jobs that wait after the one in the order
 *     seq, idle  strings      counter of the tie-break; whether a consumer has nothing to do, and of which tenants it has enough
 *
 * A job is in the order or a line, then claimed, then BullMQ's. A consumer that dies in between leaves a claim, which ends after a
 * while: the job is back in the order then, and if BullMQ had it already, adding it a second time does nothing.
 *
 * Jobs with a flow are shared out among tenants as in `app/fair/fair-share.ts` (start-time fair queueing), by all processes together.
 * Only one job of each tenant is in the order, so that one who may take no more of a tenant passes over it in one step.
 */
export class JobOrder {
  readonly #connection: QueueConnection;
  readonly #claimMs: number;
  readonly #kind: JobKind;
  readonly #keys: Readonly<Record<'order' | 'jobs' | 'claims' | 'clock' | 'seq' | 'idle' | 'flows' | 'lines', string>>;
  /** Start of BullMQ's keys of this kind. */
  readonly #bull: string;

  constructor(connection: QueueConnection, { prefix, lockMs }: QueueSettings, kind: JobKind) {
    this.#connection = connection;
    this.#claimMs = lockMs;
    this.#kind = kind;
    // Not under BullMQ's `{prefix}:KIND:`, where a job's id is a key.
    const key = (name: string): string => `${prefix}:${kind}-order:${name}`;
    this.#keys = {
      order: `${prefix}:${kind}-order`,
      jobs: key('jobs'),
      claims: key('claims'),
      clock: key('clock'),
      seq: key('seq'),
      idle: key('idle'),
      flows: key('flows'),
      lines: key('line:'),
    };
    this.#bull = `${prefix}:${kind}:`;
  }

  /** Returns whether a consumer has nothing to do. */
  async add(jobs: readonly Job[]): Promise<boolean> {
    const { order, jobs: entries, seq, idle, flows, lines } = this.#keys;
    const args = jobs.flatMap(({ id, payload, priority, rest, flow }) => [
      id,
      toScore(this.#kind === 'shard' ? priority : undefined),
      sortable(rest ?? 0),
      `${flow ? `${flow.tenant} ${flow.cost / flow.weight}` : ''}\n${JSON.stringify(payload)}`,
    ]);
    return (await this.#eval(addScript, [order, entries, seq, idle, flows], [this.#bull, lines, ...args])) === 1;
  }

  /** Takes the next jobs for a consumer. What is returned must be given to BullMQ and confirmed within `claimMs`. */
  take({ free, expected, idleMs, perTenant, held }: Need): Promise<TakenJob[]> {
    const counts = [...held].flatMap(([tenant, { active, expected: coming }]) => [tenant, active, coming]);
    return this.#take(free, expected, idleMs, perTenant, counts);
  }

  /** Takes a job for a consumer that has nothing to do, to wake it. */
  takeForIdle(): Promise<TakenJob[]> {
    return this.#take(1, 0, 0, this.#kind === 'shard' ? 0 : -1, []);
  }

  async #take(
    free: number,
    expected: number,
    idleMs: number,
    perTenant: number,
    held: readonly (string | number)[],
  ): Promise<TakenJob[]> {
    const { order, jobs, claims, clock, idle, flows, lines } = this.#keys;
    const keys = [order, jobs, claims, clock, idle, `${this.#bull}wait`, `${this.#bull}prioritized`, flows];
    const args = [free, expected, this.#claimMs, idleMs, lines, perTenant, ...held];
    const answer = (await this.#eval(takeScript, keys, args)) as string[];
    const taken: TakenJob[] = [];
    for (let at = 0; at < answer.length; at += 2) {
      const [member = '', payload = 'null'] = answer.slice(at, at + 2);
      taken.push({ member, id: member.slice(tieChars), payload: JSON.parse(payload) as unknown });
    }
    return taken;
  }

  get claimMs(): number {
    return this.#claimMs;
  }

  async confirm(taken: readonly TakenJob[]): Promise<void> {
    const { order, jobs, claims } = this.#keys;
    const members = taken.map(({ member }) => member);
    await this.#eval(confirmScript, [order, jobs, claims], members);
  }

  has(id: string): Promise<boolean> {
    const { redis } = this.#connection;
    return this.#connection.call(async () => (await redis.hexists(this.#keys.jobs, id)) === 1);
  }

  async remove(id: string): Promise<void> {
    const { order, jobs, claims, flows, lines } = this.#keys;
    await this.#eval(removeScript, [order, jobs, claims, flows], [id, lines]);
  }

  /** Those of the ids that neither wait here nor are BullMQ's. Mostly there are none, and one or two commands say so. */
  async missing(ids: readonly string[]): Promise<string[]> {
    const { redis } = this.#connection;
    const missing: string[] = [];
    for (let from = 0; from < ids.length; from += idsPerCallMax) {
      const chunk = ids.slice(from, from + idsPerCallMax);
      // In this order: a job is BullMQ's before it leaves these keys.
      const waiting = await this.#connection.call(() => redis.hmget(this.#keys.jobs, ...chunk));
      const others = chunk.filter((_, at) => waiting[at] == null);
      if (others.length === 0) continue;
      const keys = others.map((id) => this.#bull + id);
      if ((await this.#connection.call(() => redis.exists(...keys))) === keys.length) continue;
      const present = await this.#connection.call(() => Promise.all(keys.map((key) => redis.exists(key))));
      missing.push(...others.filter((_, at) => present[at] === 0));
    }
    return missing;
  }

  /** All jobs of the kind, BullMQ's too, and how many of those that wait are BullMQ's. */
  async backlog(): Promise<{ waiting: number; active: number; delayed: number; atBull: number }> {
    const lists = ['wait', 'prioritized', 'active', 'delayed'].map((name) => this.#bull + name);
    const counts = (await this.#eval(
      countScript,
      [this.#keys.jobs, this.#keys.claims, ...lists],
      [this.#bull],
    )) as number[];
    const [waiting = 0, active = 0, delayed = 0, atBull = 0] = counts;
    return { waiting, active, delayed, atBull };
  }

  front(): Promise<number | null> {
    const { redis } = this.#connection;
    return this.#connection.call(async () => {
      const [, score] = await redis.zrange(this.#keys.order, 0, 0, 'WITHSCORES');
      return score === undefined ? null : fromScore(score);
    });
  }

  clock(): Promise<number | null> {
    const { redis } = this.#connection;
    return this.#connection.call(async () => {
      const time = await redis.get(this.#keys.clock);
      return time === null ? null : Number(time);
    });
  }

  async raiseClock(value: number): Promise<void> {
    await this.#eval(raiseScript, [this.#keys.clock], [value]);
  }

  #eval(script: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const { redis } = this.#connection;
    return this.#connection.call(() => redis.eval(script, keys.length, ...keys, ...args));
  }
}
