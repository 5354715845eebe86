import { describe, expect, test } from 'vitest';
import { plainOrder, queueOrder, shardPriority, type QueueOrder } from '../../../src/domain/shard-priority.js';

const day = 86_400;
const calm = { priority: 0, secondsLeft: day, tenantBatches: 1, clock: null };

/** How often each batch is served among the first `turns` shards of a queue that holds them all. */
function served(orders: readonly QueueOrder[], turns: number): number[] {
  const shards = orders.flatMap((order, batch) =>
    Array.from({ length: 2000 }, (_, shard) => ({ batch, priority: shardPriority(order, shard) })),
  );
  const first = shards.toSorted((a, b) => a.priority - b.priority).slice(0, turns);
  return orders.map((_, batch) => first.filter((shard) => shard.batch === batch).length);
}

describe('shares', () => {
  test('equal batches take turns', () => {
    expect(served([queueOrder(calm), queueOrder(calm)], 100)).toEqual([50, 50]);
  });

  test('each step of priority doubles a share', () => {
    const [high = 0, low = 0] = served([queueOrder({ ...calm, priority: 2 }), queueOrder(calm)], 1000);
    expect(high / low).toBeCloseTo(4, 1);
    const [normal = 0, background = 0] = served([queueOrder(calm), queueOrder({ ...calm, priority: -3 })], 900);
    expect(normal / background).toBeCloseTo(8, 0);
  });

  test('a deadline pulls forward', () => {
    const [soon = 0, later = 0] = served([queueOrder({ ...calm, secondsLeft: day / 8 }), queueOrder(calm)], 900);
    expect(soon / later).toBeCloseTo(8, 0);
    expect(queueOrder({ ...calm, secondsLeft: -5 })).toEqual(queueOrder({ ...calm, secondsLeft: 1 }));
    expect(queueOrder({ ...calm, secondsLeft: 30 * day }), 'a long window is no background').toEqual(queueOrder(calm));
  });

  test('a tenant with many batches gains little', () => {
    const many = Array.from({ length: 8 }, (_, n) => queueOrder({ ...calm, tenantBatches: n + 1 }));
    const counts = served([...many, queueOrder(calm)], 1000);
    const share = (counts.at(-1) ?? 0) / 1000;
    expect(share, 'of the tenant with one batch, against eight batches of another').toBeGreaterThan(0.25);
  });
});

test('a new batch starts where the queue is: before the rest of a large one, and not before all of it', () => {
  const large = queueOrder(calm);
  const front = shardPriority(large, 500);
  const small = queueOrder({ ...calm, clock: front });
  expect(shardPriority(small, 0)).toBe(front);
  expect(shardPriority(small, 10)).toBe(shardPriority(large, 510));
  expect(shardPriority(large, 510)).toBeLessThan(shardPriority(queueOrder({ ...calm, clock: front }), 11));
});

test('every priority is one that the queue takes, and rises with the shard', () => {
  const extremes = [
    plainOrder,
    queueOrder({ priority: -10, secondsLeft: day, tenantBatches: 1e6, clock: null }),
    queueOrder({ priority: 10, secondsLeft: 0, tenantBatches: 1, clock: 2_097_151 }),
  ];
  for (const order of extremes) {
    let last = 0;
    for (let shard = 0; shard < 10_000; shard += 7) {
      const priority = shardPriority(order, shard);
      expect(Number.isInteger(priority) && priority >= 1000 && priority < 2_097_151).toBe(true);
      expect(priority).toBeGreaterThanOrEqual(last);
      last = priority;
    }
  }
});
