import type { Job } from '../../../ports/job-queue.js';
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
} from './shard-order-scripts.js';

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

/**
 * The shards that wait, in a sorted set of our own: BullMQ's priorities are integers of 21 bits, too few for the range of shares and a
 * clock that only goes forward. BullMQ gets a shard when a consumer is about to do it, and has it from then on: locks, stalls,
 * retries and hand-backs are BullMQ's.
 *
 *     order      sorted set   tie-break and id, by priority
 *     jobs       hash         id -> tie-break and payload, of all that is in the order or claimed
 *     claims     hash         tie-break and id -> end of the claim and priority: taken out, not known to be BullMQ's yet
 *     clock      string       highest priority ever taken; absent until it is told
 *     seq, idle  strings      counter of the tie-break; whether a consumer has nothing to do
 *
 * A job is in the order, then claimed, then BullMQ's. A consumer that dies in between leaves a claim, which ends after a while: the
 * job is back in the order then, and if BullMQ had it already, adding it a second time does nothing.
 */
export class ShardOrder {
  readonly #connection: QueueConnection;
  readonly #claimMs: number;
  readonly #keys: Readonly<Record<'order' | 'jobs' | 'claims' | 'clock' | 'seq' | 'idle', string>>;
  /** Start of BullMQ's keys of this kind. */
  readonly #bull: string;

  constructor(connection: QueueConnection, { prefix, lockMs }: QueueSettings) {
    this.#connection = connection;
    this.#claimMs = lockMs;
    // Not under BullMQ's `{prefix}:shard:`, where a job's id is a key.
    const key = (name: string): string => `${prefix}:shard-order:${name}`;
    this.#keys = {
      order: `${prefix}:shard-order`,
      jobs: key('jobs'),
      claims: key('claims'),
      clock: key('clock'),
      seq: key('seq'),
      idle: key('idle'),
    };
    this.#bull = `${prefix}:shard:`;
  }

  /** Returns whether a consumer has nothing to do. */
  async add(jobs: readonly Job[]): Promise<boolean> {
    const { order, jobs: payloads, seq, idle } = this.#keys;
    const args = jobs.flatMap(({ id, payload, priority, rest }) => [
      id,
      toScore(priority),
      sortable(rest ?? 0),
      JSON.stringify(payload),
    ]);
    return (await this.#eval(addScript, [order, payloads, seq, idle], [this.#bull, ...args])) === 1;
  }

  /**
   * Takes the next jobs for a consumer that can do `free` more, `counted` of which it expects already. It counts as idle for `idleMs`
   * when there are less. What is returned must be given to BullMQ and confirmed within `claimMs`.
   */
  async take(free: number, counted: number, idleMs: number): Promise<TakenJob[]> {
    const { order, jobs, claims, clock, idle } = this.#keys;
    const keys = [order, jobs, claims, clock, idle, `${this.#bull}wait`, `${this.#bull}prioritized`];
    const answer = (await this.#eval(takeScript, keys, [free, counted, this.#claimMs, idleMs])) as string[];
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
    const { order, jobs, claims } = this.#keys;
    await this.#eval(removeScript, [order, jobs, claims], [id]);
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

  /** All shards, BullMQ's too. */
  async backlog(): Promise<{ waiting: number; active: number; delayed: number }> {
    const lists = ['wait', 'prioritized', 'active', 'delayed'].map((name) => this.#bull + name);
    const counts = (await this.#eval(
      countScript,
      [this.#keys.order, this.#keys.claims, ...lists],
      [this.#bull],
    )) as number[];
    const [waiting = 0, active = 0, delayed = 0] = counts;
    return { waiting, active, delayed };
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
