import { describe, expect, test } from 'vitest';
import {
  orderNow,
  plainOrder,
  priorityRest,
  queueOrder,
  shardPriority,
  virtualTime,
  type QueueOrder,
} from '../../../src/domain/shard-priority.js';

const day = 86_400;
const calm = { priority: 0, secondsLeft: day, tenantBatches: 1, clock: null };
const plainStride = plainOrder.stride;

interface Flow {
  readonly order: QueueOrder;
  readonly shards?: number;
}

/** The batches of the first `turns` shards of a queue that holds them all. */
function turnsOf(flows: readonly Flow[], turns: number): number[] {
  const shards = flows.flatMap(({ order, shards: count = 2000 }, batch) =>
    Array.from({ length: count }, (_, shard) => ({ batch, priority: shardPriority(order, shard) })),
  );
  const first = shards.toSorted((a, b) => a.priority - b.priority).slice(0, turns);
  return first.map(({ batch }) => batch);
}

/** How often each batch is served among them. */
function served(orders: readonly QueueOrder[], turns: number): number[] {
  const first = turnsOf(
    orders.map((order) => ({ order })),
    turns,
  );
  return orders.map((_, batch) => first.filter((at) => at === batch).length);
}

describe('shares', () => {
  test('equal batches take turns', () => {
    expect(served([queueOrder(calm), queueOrder(calm)], 100)).toEqual([50, 50]);
  });

  test('each step of priority doubles a share, from the first to the last', () => {
    const [high = 0, low = 0] = served([queueOrder({ ...calm, priority: 2 }), queueOrder(calm)], 1000);
    expect(high / low).toBeCloseTo(4, 1);
    const [normal = 0, background = 0] = served([queueOrder(calm), queueOrder({ ...calm, priority: -3 })], 900);
    expect(normal / background).toBeCloseTo(8, 0);
    for (let priority = -10; priority < 10; priority++)
      expect(queueOrder({ ...calm, priority }).stride).toBe(2 * queueOrder({ ...calm, priority: priority + 1 }).stride);
  });

  test('a deadline pulls forward, 64 times at most', () => {
    const [soon = 0, later = 0] = served([queueOrder({ ...calm, secondsLeft: day / 8 }), queueOrder(calm)], 900);
    expect(soon / later).toBeCloseTo(8, 0);
    expect(queueOrder({ ...calm, secondsLeft: -5 })).toEqual(queueOrder({ ...calm, secondsLeft: 1 }));
    expect(queueOrder({ ...calm, secondsLeft: 0 }).stride).toBe(plainStride / 64);
    expect(queueOrder({ ...calm, secondsLeft: 30 * day }), 'a long window is no background').toEqual(queueOrder(calm));
  });

  test('the n-th open batch of a tenant gets an n-th', () => {
    for (const n of [1, 2, 3, 17, 64])
      expect(queueOrder({ ...calm, tenantBatches: n })).toEqual({ start: 0, stride: n * plainStride });
    const many = Array.from({ length: 8 }, (_, n) => queueOrder({ ...calm, tenantBatches: n + 1 }));
    const counts = served([...many, queueOrder(calm)], 1000);
    const share = (counts.at(-1) ?? 0) / 1000;
    expect(share, 'of the tenant with one batch, against eight batches of another').toBeGreaterThan(0.25);
  });

  test('many batches of one shard, sent at once, get what one batch of that many shards gets', () => {
    const small = Array.from({ length: 500 }, (_, n) => ({
      order: queueOrder({ ...calm, tenantBatches: n + 1 }),
      shards: 1,
    }));
    const other = { order: queueOrder(calm), shards: 500 };
    const turns = turnsOf([...small, other], 1000);
    for (const upTo of [10, 100, 500, 1000]) {
      const ofOther = turns.slice(0, upTo).filter((batch) => batch === small.length).length;
      expect(ofOther / upTo).toBeCloseTo(0.5, 1);
    }
  });

  test('batches of one shard, sent whenever the last one has ended, get no more than one batch', () => {
    let clock = 0;
    let small = 0;
    const large = queueOrder({ ...calm, clock });
    let next = queueOrder({ ...calm, clock });
    for (let n = 0; n < 200;) {
      if (shardPriority(next, 0) < shardPriority(large, n)) {
        clock = shardPriority(next, 0);
        next = queueOrder({ ...calm, clock });
        small++;
      } else clock = shardPriority(large, n++);
    }
    expect(small).toBeGreaterThan(197);
    expect(small).toBeLessThan(203);
  });
});

describe('where a batch starts', () => {
  test('where the queue is: before the rest of a large batch, and not before all of it', () => {
    const large = queueOrder(calm);
    const clock = shardPriority(large, 500);
    const small = queueOrder({ ...calm, clock });
    expect(shardPriority(small, 0)).toBeGreaterThan(clock);
    expect(shardPriority(small, 0)).toBeCloseTo(shardPriority(large, 501), 6);
    expect(shardPriority(small, 10)).toBeCloseTo(shardPriority(large, 511), 6);
  });

  test('a background batch does not have its first shard done before a normal one has had its share', () => {
    const background = queueOrder({ ...calm, priority: -10 });
    const normal = queueOrder({ ...calm, clock: 0 });
    expect(turnsOf([{ order: background }, { order: normal }], 1024).filter((batch) => batch === 0)).toHaveLength(1);
    expect(shardPriority(background, 0)).toBeGreaterThan(shardPriority(normal, 1000));
  });

  test('a batch of priority -10 with 207 shards leaves new ones their numbers', () => {
    const background = queueOrder({ ...calm, priority: -10 });
    // Its shards were the only ones until its 150th was given out.
    const clock = shardPriority(background, 149);
    for (const priority of [0, 10]) {
      const order = queueOrder({ ...calm, priority, clock });
      const numbers = Array.from({ length: 207 }, (_, shard) => shardPriority(order, shard));
      expect(new Set(numbers).size).toBe(207);
      expect(numbers.every((number) => number > clock && number < shardPriority(background, 150))).toBe(true);
    }
  });

  test('a plan of an earlier version keeps its order and its share', () => {
    const stored = { start: 2_096_150, stride: 16 * 1024 };
    expect(shardPriority(stored, 206)).toBeGreaterThan(shardPriority(stored, 205));
    const fresh = queueOrder({ ...calm, priority: -10, clock: 0 });
    expect(stored.stride).toBe(fresh.stride);
    expect(plainOrder).toEqual({ start: 0, stride: queueOrder(calm).stride });
  });
});

describe('numbers', () => {
  const least = { priority: -10, secondsLeft: day, tenantBatches: 1e6 };
  const most = { priority: 10, secondsLeft: 0, tenantBatches: 1 };
  /** Ten years of 100 shards a second, each of which moves the clock as far as one can. */
  const tenYears = 10 * 365.25 * day * 100 * (shardPriority(queueOrder({ ...least, clock: 0 }), 0) + 1);

  test('no clock of ten years puts two shards of a batch at one place, or out of order', () => {
    expect(tenYears).toBeLessThan(2 ** 59);
    for (const clock of [null, 0, 1e6, 2 ** 43, 2 ** 53, tenYears])
      for (const urgency of [least, most, { ...most, secondsLeft: 7777 }]) {
        const order = queueOrder({ ...urgency, clock });
        const places = Array.from({ length: 10_000 }, (_, shard) => ({
          priority: shardPriority(order, shard),
          rest: priorityRest(order, shard),
        }));
        const wrong = places.filter(({ priority, rest }, shard) => {
          const last = places[shard - 1] ?? { priority: clock ?? 0, rest: 0 };
          return priority < last.priority || (priority === last.priority && rest <= last.rest);
        });
        expect(wrong, `clock ${clock}`).toEqual([]);
      }
  });

  test('priority and rest together are the exact sum', () => {
    const order = queueOrder({ ...most, clock: tenYears });
    const exact = (shard: number): bigint =>
      BigInt(shardPriority(order, shard)) * 2n ** 40n + BigInt(priorityRest(order, shard) * 2 ** 40);
    for (const shard of [0, 1, 99, 9999])
      expect(exact(shard)).toBe(BigInt(order.start) * 2n ** 40n + BigInt(order.stride * (shard + 1) * 2 ** 40));
  });
});

describe('shards that are queued again', () => {
  const order = queueOrder({ ...calm, clock: 1000 });

  test('keep their place while the clock has not passed it', () => {
    expect(orderNow(order, 7, 0, 1000)).toEqual(order);
    expect(orderNow(order, 0, 0, 1000)).toEqual(order);
    expect(orderNow(order, 7, 0, virtualTime(order, 5))).toEqual(order);
  });

  test('come no earlier than those of a new batch once it has', () => {
    const clock = virtualTime(order, 100);
    const now = orderNow(order, 7, 0, clock);
    expect(virtualTime(now, 7)).toBeCloseTo(virtualTime(queueOrder({ ...calm, clock }), 0), 6);
    const second = orderNow(order, 8, 1, clock);
    expect(virtualTime(second, 8)).toBeCloseTo(virtualTime(now, 7) + order.stride, 6);
  });

  test('one that was left behind does not hold back those far behind it', () => {
    // Shard 0 hangs; shards 5000 on wait, a moment ahead of the clock.
    const clock = virtualTime(order, 4999);
    expect(virtualTime(orderNow(order, 0, 0, clock), 0)).toBeGreaterThan(clock);
    expect(virtualTime(orderNow(order, 5001, 1, clock), 5001)).toBeCloseTo(virtualTime(order, 5001), 6);
  });
});
