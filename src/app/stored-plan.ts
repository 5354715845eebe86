import { z } from 'zod';
import {
  planObject,
  plannedShard,
  workHead,
  type PlanHead,
  type PlanObject,
  type PlannedShard,
  type WorkHead,
  type WorkPlan,
} from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { errorCode } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import type { Clock } from '../ports/clock.js';
import type { ObjectInfo, ObjectStore } from '../ports/object-store.js';
import { Breather } from './breather.js';
import { parseStored } from './stored-json.js';

/**
 * plan.json of work is one JSON text in lines: a head, which has all but the shards, then shards in groups. So views read the head
 * alone, and a large plan is written and read in turns. Plans of earlier versions have one line, and no sizes of shards in front.
 */
const lineFeed = 0x0a;
const headEnd = '"shards":[';
const planEnd = ']}';
const groupShards = 128;

type Turns = Pick<Clock, 'monotonic' | 'turn'>;

export const headOf = ({ shards, ...rest }: WorkPlan): WorkHead => ({
  ...rest,
  shardTokens: shards.map(({ tokens }) => tokens),
});

export async function encodePlan(clock: Turns, plan: PlanObject): Promise<Uint8Array> {
  if (plan.kind === 'verdict') return Buffer.from(JSON.stringify(plan));
  const breather = new Breather(clock);
  const lines = [`${JSON.stringify(headOf(plan)).slice(0, -1)},${headEnd}\n`];
  for (let from = 0; from < plan.shards.length; from += groupShards) {
    if (breather.due) await breather.pause();
    const group = JSON.stringify(plan.shards.slice(from, from + groupShards)).slice(1, -1);
    lines.push(`${group}${from + groupShards < plan.shards.length ? ',' : ''}\n`);
  }
  return Buffer.from(`${lines.join('')}${planEnd}`);
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');

/** The head at the start of the bytes; null: they do not begin with one. */
function readHead(bytes: Uint8Array): { readonly head: WorkHead; readonly length: number } | null {
  const length = bytes.indexOf(lineFeed);
  if (length < 0) return null;
  const text = textOf(bytes.subarray(0, length));
  if (!text.endsWith(headEnd)) throw new SyntaxError('The first line of the plan is not its head.');
  return { head: parseStored(Buffer.from(`${text}${planEnd}`), workHead), length: length + 1 };
}

const group = z.array(plannedShard);

async function decodePlan(clock: Turns, bytes: Uint8Array): Promise<PlanObject> {
  const read = readHead(bytes);
  if (!read) return parseStored(bytes, planObject);
  const breather = new Breather(clock);
  const shards: PlannedShard[] = [];
  for (let at = read.length; ;) {
    if (breather.due) await breather.pause();
    const end = bytes.indexOf(lineFeed, at);
    if (end < 0) break;
    const text = textOf(bytes.subarray(at, end));
    shards.push(...group.parse(JSON.parse(`[${text.endsWith(',') ? text.slice(0, -1) : text}]`)));
    at = end + 1;
  }
  const { shardTokens, ...rest } = read.head;
  if (shards.length !== shardTokens.length) throw new SyntaxError('The plan does not have all of its shards.');
  return { ...rest, shards };
}

/** What stands in for a plan that is damaged: there is no telling which lines its shards have, so the batch fails, and says so. */
const damagedPlan = ({ modifiedMs }: ObjectInfo): PlanObject & PlanHead => ({
  v: 1,
  kind: 'verdict',
  plannedMs: modifiedMs,
  verdict: 'failed',
  errors: [
    {
      code: 'internal_error',
      message:
        'The stored plan of this batch cannot be read any more, so its results cannot be put together. Submit its input again as a new batch, and give the operator the id of this one.',
      param: null,
      line: null,
    },
  ],
});

async function orDamaged<T>(info: ObjectInfo, read: () => T | Promise<T>): Promise<T | ReturnType<typeof damagedPlan>> {
  try {
    return await read();
  } catch (error) {
    // Written by a later version: whoever knows it may read it.
    if (errorCode(error) === 'service_unavailable') throw error;
    return damagedPlan(info);
  }
}

export interface PlanReader {
  readonly store: ObjectStore;
  readonly clock: Turns;
}

/** A plan with the size in which it is stored. */
export async function findSizedPlan({ store, clock }: PlanReader, tenant: string, batchId: string) {
  const object = await store.get(keys.plan(tenant, batchId));
  if (!object) return null;
  const value = await orDamaged(object.info, () => decodePlan(clock, object.bytes));
  return { value, bytes: object.bytes.length };
}

export const findPlan = async (world: PlanReader, tenant: string, batchId: string): Promise<PlanObject | null> =>
  (await findSizedPlan(world, tenant, batchId))?.value ?? null;

/** All of a plan but what its shards hold, with what it takes: a read of the head alone, but for large plans of earlier versions. */
export async function findSizedHead(
  world: PlanReader,
  tenant: string,
  batchId: string,
): Promise<{ readonly value: PlanHead; readonly bytes: number } | null> {
  const range = { start: 0, end: bounds.planHeadBytesMax };
  const object = await world.store.get(keys.plan(tenant, batchId), { range });
  if (!object) return null;
  const { info, bytes } = object;
  const head = await orDamaged(info, () => readHead(bytes));
  if (head !== null) return 'length' in head ? { value: head.head, bytes: head.length } : { value: head, bytes: 0 };
  const whole = bytes.length < bounds.planHeadBytesMax;
  const plan = whole
    ? await orDamaged(info, () => decodePlan(world.clock, bytes))
    : await findPlan(world, tenant, batchId);
  if (plan === null) return null;
  const value = plan.kind === 'work' ? headOf(plan) : plan;
  return { value, bytes: JSON.stringify(value).length };
}

export const findPlanHead = async (world: PlanReader, tenant: string, batchId: string): Promise<PlanHead | null> =>
  (await findSizedHead(world, tenant, batchId))?.value ?? null;
