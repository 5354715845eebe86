import { describe, expect, test } from 'vitest';
import { BatchRecords } from '../../../src/app/batch-records.js';
import { KeptValues } from '../../../src/app/kept-values.js';
import { sideBySide } from '../../../src/app/side-by-side.js';
import type { PlanObject } from '../../../src/contract/stored-objects.js';
import { keys } from '../../../src/domain/object-keys.js';
import { fakeWorld, type FakeWorld } from '../../support/fake-world.js';

const put = ({ store }: FakeWorld, key: string, value: unknown): Promise<unknown> =>
  store.put(key, Buffer.from(JSON.stringify(value)));
const cancelKey = keys.cancel('acme', 'batch_1');

const planOf = (shards: number): PlanObject => ({
  v: 1,
  kind: 'work',
  plannedMs: 0,
  endpoint: '/v1/completions',
  model: 'm',
  lines: shards,
  tokens: shards,
  promptTokens: null,
  outputTokensMost: null,
  order: { start: 0, stride: 1 },
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
});

describe('records of batches', () => {
  test('are read once when they are there, and each time as long as they are not', async () => {
    const world = fakeWorld();
    const { records, store } = world;
    expect(await records.cancelMs('acme', 'batch_1')).toBeNull();
    await put(world, cancelKey, { v: 1, requestedMs: 7 });
    expect(await records.cancelMs('acme', 'batch_1')).toBe(7);
    store.calls.length = 0;
    expect(await records.cancelMs('acme', 'batch_1')).toBe(7);
    expect(store.calls).toEqual([]);
    records.forget('acme', 'batch_1');
    expect(await records.cancelMs('acme', 'batch_1')).toBe(7);
    expect(store.calls).toHaveLength(1);
  });

  test('callers at the same time share one read', async () => {
    const world = fakeWorld();
    await put(world, keys.plan('acme', 'batch_1'), planOf(3));
    world.store.calls.length = 0;
    const found = await Promise.all(Array.from({ length: 50 }, () => world.records.plan('acme', 'batch_1')));
    expect(new Set(found).size).toBe(1);
    expect(world.store.calls).toHaveLength(1);
  });

  test('who joins a read that began before the write still sees what was written', async () => {
    const world = fakeWorld();
    let answer = (): void => undefined;
    const early = new Promise<void>((resolve) => (answer = resolve));
    const slow = {
      get: async (key: string) => {
        const found = await world.store.get(key);
        await early;
        return found;
      },
    } as unknown as FakeWorld['store'];
    const records = new BatchRecords(slow, world.clock);
    const before = records.cancelMs('acme', 'batch_1');
    await put(world, cancelKey, { v: 1, requestedMs: 7 });
    const after = [records.cancelMs('acme', 'batch_1'), records.cancelMs('acme', 'batch_1')];
    answer();
    expect(await before).toBeNull();
    expect(await Promise.all(after)).toEqual([7, 7]);
  });

  test('a failed read fails those who began it, and is not remembered', async () => {
    const world = fakeWorld();
    await put(world, cancelKey, { v: 1, requestedMs: 7 });
    world.store.fault = () => ({ fail: 'before' });
    await expect(world.records.cancelMs('acme', 'batch_1')).rejects.toMatchObject({ code: 'store_unavailable' });
    world.store.fault = () => undefined;
    expect(await world.records.cancelMs('acme', 'batch_1')).toBe(7);
  });

  /** Which of the plans are remembered: those that need no read. */
  const known = async (world: FakeWorld, records: BatchRecords, plans: readonly [string, string][]) => {
    const found: boolean[] = [];
    for (const [tenant, batchId] of plans) {
      world.store.calls.length = 0;
      await records.plan(tenant, batchId);
      found.push(world.store.calls.length === 0);
    }
    return found;
  };

  test('are bounded by the bytes of all, and a tenant with large ones pushes out its own', async () => {
    const world = fakeWorld();
    const large = planOf(1000);
    const bytes = JSON.stringify(large).length;
    const records = new BatchRecords(world.store, world.clock, 1000, 6 * bytes);
    const plans = [1, 2, 3, 4].map((n): [string, string] => ['greedy', `batch_${n}`]);
    for (const [tenant, batchId] of plans) await put(world, keys.plan(tenant, batchId), large);
    await put(world, keys.plan('acme', 'batch_1'), planOf(40));
    await records.plan('acme', 'batch_1');
    for (const [tenant, batchId] of plans) await records.plan(tenant, batchId);
    expect(await known(world, records, [['acme', 'batch_1'], ...plans.slice(2)])).toEqual([true, true, true]);
    expect(await known(world, records, plans.slice(0, 2))).toEqual([false, false]);
  });

  test('of two tenants are kept apart', async () => {
    const world = fakeWorld();
    await put(world, cancelKey, { v: 1, requestedMs: 7 });
    expect(await world.records.cancelMs('acme', 'batch_1')).toBe(7);
    expect(await world.records.cancelMs('other', 'batch_1')).toBeNull();
  });
});

test('kept values are bounded in number and weight, and those used last stay', () => {
  const kept = new KeptValues(3, 10);
  const value = {};
  for (const name of ['a', 'b', 'c']) kept.set(name, value, 1);
  kept.get('a');
  kept.set('d', value, 1);
  expect(['a', 'b', 'c', 'd'].map((name) => kept.get(name) !== undefined)).toEqual([true, false, true, true]);
  kept.set('e', value, 9);
  expect([kept.size, kept.weight]).toEqual([2, 10]);
  kept.set('f', value, 11);
  expect(kept.get('f'), 'heavier than all may be').toBeUndefined();
  kept.set('e', value, 2);
  expect(kept.weight, 'the new weight in place of the old').toBe(3);
  kept.delete('e');
  expect(kept.weight).toBe(1);
});

describe('side by side', () => {
  test('are as many as allowed, and every item has its turn', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await sideBySide(
      Array.from({ length: 20 }, (_, n) => n),
      4,
      async (n) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        done.push(n);
      },
    );
    expect(most).toBe(4);
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test('an error ends the run once those under way have ended', async () => {
    const begun: number[] = [];
    let ended = 0;
    const run = sideBySide([0, 1, 2, 3, 4, 5], 2, async (n) => {
      begun.push(n);
      await new Promise((resolve) => setImmediate(resolve));
      ended++;
      if (n === 1) throw new Error('one');
    });
    await expect(run).rejects.toThrow('one');
    expect(ended).toBe(begun.length);
    expect(begun.length).toBeLessThan(6);
  });
});
