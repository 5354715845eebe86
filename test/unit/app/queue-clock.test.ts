import { describe, expect, test } from 'vitest';
import { placeInQueue, queueShards } from '../../../src/app/plan-batch.js';
import { queueClock } from '../../../src/app/queue-clock.js';
import { createJson } from '../../../src/app/stored-json.js';
import type { WorkPlan } from '../../../src/contract/stored-objects.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { shardPriority, type QueueOrder } from '../../../src/domain/shard-priority.js';
import { fakeWorld, type FakeWorld } from '../../support/fake-world.js';

const tenant = 'acme';
const idOf = (n: number): string => `batch_${String(n).padStart(8, '0')}`;

function planOf(order: QueueOrder, shards: number): WorkPlan {
  return {
    v: 1,
    kind: 'work',
    plannedMs: 0,
    endpoint: '/v1/completions',
    model: 'test/falcon',
    lines: shards,
    tokens: shards,
    promptTokens: shards,
    outputTokensMost: shards,
    order,
    shards: Array.from({ length: shards }, (_, n) => ({
      n,
      byteStart: n,
      byteEnd: n + 1,
      firstLine: n,
      count: 1,
      tokens: 1,
      sha256: '',
      noRequests: [],
      rejected: [],
    })),
  };
}

const termsOf = (world: FakeWorld, priority = 0) => ({
  tenant,
  priority,
  deadlineMs: null,
  expiresMs: world.clock.now() + 86_400_000,
});

/** Accepts and plans a batch as the service does, and queues its shards. */
async function plan(world: FakeWorld, n: number, shards: number, priority = 0): Promise<WorkPlan> {
  await world.store.put(keys.openBatch(tenant, idOf(n)), Buffer.of());
  const order = await placeInQueue(world, { ...termsOf(world, priority), batchId: idOf(n) }, world.clock.now());
  const made = planOf(order, shards);
  await createJson(world.store, keys.plan(tenant, idOf(n)), made);
  await queueShards(world, { tenant, batchId: idOf(n) }, made, new Map());
  return made;
}

/** Does as many shards as are asked for, in the order of the queue, and leaves their parts. Returns their jobs. */
async function work(world: FakeWorld, shards: number): Promise<string[]> {
  const done: string[] = [];
  if (shards === 0) return done;
  await new Promise<void>((resolve) => {
    const consumer = world.queue.consume('shard', { concurrency: 1 }, async (job) => {
      const { batchId, shard } = job.payload as { batchId: string; shard: number };
      if (done.length >= shards) return new Promise<void>(() => undefined);
      done.push(job.id);
      await world.store.create(keys.part(tenant, batchId, shard), Buffer.of(1));
      if (done.length < shards) return;
      void Promise.resolve().then(() => {
        world.queue.kill(consumer);
        resolve();
      });
      return new Promise<void>(() => undefined);
    });
  });
  return done;
}

/** What is still to be done, in the order of the queue. */
async function rest(world: FakeWorld): Promise<string[]> {
  const done: string[] = [];
  const consumer = world.queue.consume('shard', { concurrency: 1 }, (job) => {
    done.push(job.id);
    return Promise.resolve();
  });
  await world.clock.until('all are done', async () => {
    const { waiting, active } = await world.queue.backlog('shard');
    return waiting + active === 0;
  });
  await consumer.close(0);
  return done;
}

async function decidedOf(world: FakeWorld, n: number): Promise<Map<number, number>> {
  const { objects } = await world.store.list(keys.parts(tenant, idOf(n)));
  return new Map(objects.map(({ key }) => [Number(/(\d+)\.jsonl$/.exec(key)?.[1]), 0]));
}

/** Redis lost its data; the janitor has put the batches back in this order. */
async function requeue(world: FakeWorld, plans: ReadonlyMap<number, WorkPlan>): Promise<void> {
  for (const [n, made] of plans)
    await queueShards(world, { tenant, batchId: idOf(n) }, made, await decidedOf(world, n));
}

describe('the clock of the queue', () => {
  test('is zero for a service without work, and known from then on', async () => {
    const world = fakeWorld();
    expect(await queueClock(world)).toBe(0);
    expect(await world.queue.clock('shard')).toBe(0);
    expect(world.log.of('queue.clock_restored')).toHaveLength(1);
    await queueClock(world);
    expect(world.log.of('queue.clock_restored')).toHaveLength(1);
  });

  test('is restored from the open batches, whatever one that hangs says', async () => {
    const world = fakeWorld();
    const hanging = await plan(world, 1, 300);
    await plan(world, 2, 300);
    await work(world, 250);
    const before = (await world.queue.clock('shard')) ?? 0;
    // One shard of the first batch is not decided since the beginning.
    await world.store.delete(keys.part(tenant, idOf(1), 1));
    world.queue.wipe();
    const restored = await queueClock(world);
    expect(restored).toBeLessThanOrEqual(before);
    expect(restored).toBeGreaterThan(before - 2 * 2 * hanging.order.stride);
  });

  test('is restored though the plan of a batch cannot be read, with bounded reads at once', async () => {
    const world = fakeWorld();
    await plan(world, 1, 100);
    await work(world, 50);
    const before = (await world.queue.clock('shard')) ?? 0;
    for (let n = 2; n < 100; n++) await world.store.put(keys.openBatch(tenant, idOf(n)), Buffer.of());
    await world.store.put(keys.plan(tenant, idOf(50)), Buffer.from('{"v":2}'));
    await world.store.put('open/no-batch', Buffer.of());
    world.queue.wipe();
    let reading = 0;
    let most = 0;
    const get = world.store.get.bind(world.store);
    world.store.get = async (...args) => {
      most = Math.max(most, ++reading);
      const found = await get(...args);
      reading--;
      return found;
    };
    expect(await queueClock(world)).toBeCloseTo(before, 6);
    expect(most).toBeLessThanOrEqual(bounds.clockReadsMax);
    expect(world.log.of('queue.clock_trace_unread')).toHaveLength(1);
  });

  test('a batch is planned while the queue is away, where the open batches are', async () => {
    const world = fakeWorld();
    await plan(world, 1, 100);
    await work(world, 50);
    const before = (await world.queue.clock('shard')) ?? 0;
    world.queue.unavailable = true;
    const order = await placeInQueue(world, termsOf(world), world.clock.now());
    expect(order.start).toBeCloseTo(before, 6);
    expect(world.log.of('queue.clock_not_seen').length).toBeGreaterThan(0);
  });
});

describe('after Redis lost its data', () => {
  test('a batch planned before anything was put back takes turns with the old ones', async () => {
    const world = fakeWorld();
    const plans = new Map([[1, await plan(world, 1, 400)]]);
    await work(world, 200);
    world.queue.wipe();
    await plan(world, 2, 100);
    await requeue(world, plans);
    const order = await rest(world);
    const first = order.slice(0, 150).filter((id) => id.startsWith(`s-${idOf(2)}`)).length;
    // The second batch of its tenant: half of the share of the first.
    expect(first).toBeGreaterThan(45);
    expect(first).toBeLessThan(55);
  });

  test('a background batch that was put back first holds up neither the others nor new ones', async () => {
    const world = fakeWorld();
    const background = await plan(world, 1, 300, -10);
    const normal = await plan(world, 2, 600);
    await work(world, 300);
    world.queue.wipe();
    // It is alone in the queue for a moment, and moves the clock far ahead.
    await requeue(world, new Map([[1, background]]));
    await work(world, 5);
    await requeue(world, new Map([[2, normal]]));
    const fresh = await plan(world, 3, 50);
    expect(fresh.order.stride / normal.order.stride).toBe(1.5);
    const order = await rest(world);
    const first = order.slice(0, 100).map((id) => id.split('-')[1]);
    expect(first.filter((id) => id === idOf(3)).length).toBeGreaterThan(35);
    expect(first.filter((id) => id === idOf(3)).length).toBeLessThan(45);
    expect(first).not.toContain(idOf(1));
  });
});

describe('the place of a batch', () => {
  test('is that of the order in which the tenant’s batches were accepted', async () => {
    const world = fakeWorld();
    const ids = [7, 3, 9, 1];
    for (const n of ids) {
      await world.store.put(keys.openBatch(tenant, idOf(n)), Buffer.of());
      await world.clock.advance(1);
    }
    const strides = await Promise.all(
      ids.map(
        async (n) => (await placeInQueue(world, { ...termsOf(world), batchId: idOf(n) }, world.clock.now())).stride,
      ),
    );
    expect(strides.map((stride) => stride / 16)).toEqual([1, 2, 3, 4]);
    const thought = await placeInQueue(world, termsOf(world), world.clock.now());
    expect(thought.stride / 16, 'a dry run is the next').toBe(5);
  });

  test('a batch of priority -10 with 207 shards leaves new ones of any priority their turn', async () => {
    const world = fakeWorld();
    const large = await plan(world, 1, 207, -10);
    await work(world, 150);
    for (const [n, priority] of [
      [2, 0],
      [3, 10],
    ] as const) {
      const fresh = await plan(world, n, 20, priority);
      const numbers = fresh.shards.map((shard) => shardPriority(fresh.order, shard.n));
      expect(new Set(numbers).size).toBe(20);
      expect(Math.max(...numbers)).toBeLessThan(shardPriority(large.order, 150));
    }
    const order = (await rest(world)).map((id) => id.split('-')[1]);
    // The shard that was given out last counts as lost; it and the rest of the large batch come behind.
    const behind = order.filter((id) => id !== idOf(1)).concat(order.filter((id) => id === idOf(1)));
    expect(order.slice(-57)).toEqual(behind.slice(-57));
  });
});
