import { describe, expect, test } from 'vitest';
import { BatchWatches } from '../../../src/app/batch-watch.js';
import { keys } from '../../../src/domain/object-keys.js';
import { fakeWorld, type FakeWorld } from '../../support/fake-world.js';

const batchId = 'batch_01';

async function watched(): Promise<{ world: FakeWorld; watches: BatchWatches; reads: () => number }> {
  const world = fakeWorld();
  await world.store.put(keys.submit('acme', batchId), Buffer.from('{}'));
  world.store.calls.length = 0;
  return { world, watches: new BatchWatches(world), reads: () => world.store.calls.length };
}

const cancel = ({ store, clock }: FakeWorld): Promise<unknown> =>
  store.put(keys.cancel('acme', batchId), Buffer.from(JSON.stringify({ v: 1, requestedMs: clock.now() })));

const looks = ({ store }: FakeWorld): number =>
  store.calls.filter(({ key, operation }) => operation === 'get' && key === keys.cancel('acme', batchId)).length;

describe('a watch of a batch', () => {
  test('looks once in two seconds, however many shards run', async () => {
    const { world, watches } = await watched();
    const all = Array.from({ length: 20 }, () => watches.subscribe('acme', batchId));
    await world.clock.advance(20_000);
    expect(looks(world)).toBe(10);
    for (const watch of all) watch.close();
  });

  test('tells a cancel to every shard', async () => {
    const { world, watches } = await watched();
    const [one, two] = [watches.subscribe('acme', batchId), watches.subscribe('acme', batchId)];
    const other = watches.subscribe('acme', 'batch_02');
    await world.clock.advance(5000);
    expect(one.signal.aborted).toBe(false);
    await cancel(world);
    await world.clock.advance(2000);
    expect([one, two].map(({ signal }) => signal.reason as unknown)).toEqual(['user_cancel', 'user_cancel']);
    expect(other.signal.aborted).toBe(false);
    expect(await one.sight()).toEqual({
      exists: true,
      ended: false,
      attempted: new Set(),
      cancelMs: world.clock.now() - 2000,
    });
  });

  test('a look just before the turn of the loop does not put the next one off', async () => {
    const { world, watches } = await watched();
    const watch = watches.subscribe('acme', batchId);
    await world.clock.advance(1500);
    await watch.sight();
    await cancel(world);
    await world.clock.advance(2000);
    expect(watch.signal.reason).toBe('user_cancel');
  });

  test('ends the work at the end of the window, each shard at its own', async () => {
    const { world, watches } = await watched();
    const end = world.clock.now() + 60_000;
    const watch = watches.subscribe('acme', batchId, end);
    const late = watches.subscribe('acme', batchId, end + 3_600_000);
    world.clock.jump(60_000);
    await world.clock.advance(2000);
    expect(watch.signal.reason).toBe('deadline');
    expect(late.signal.aborted).toBe(false);
    expect(watches.subscribe('acme', batchId, end).signal.reason, 'at once').toBe('deadline');
  });

  test('leaves no timer, and what was seen serves the next shard for two seconds', async () => {
    const { world, watches, reads } = await watched();
    const watch = watches.subscribe('acme', batchId);
    expect(await watch.sight()).toEqual({ exists: true, ended: false, attempted: new Set(), cancelMs: null });
    watch.close();
    expect(reads()).toBe(4);
    const next = watches.subscribe('acme', batchId);
    await next.sight();
    expect(reads(), 'no read at the start of the next shard').toBe(4);
    next.close();
    await world.clock.advance(3_600_000);
    expect(reads()).toBe(4);
    await expect(world.clock.until('anybody who sleeps', () => false)).rejects.toThrow('Nothing is left to wait for');
    await watches.subscribe('acme', 'batch_02').sight();
    expect(watches.size, 'the first one is forgotten').toBe(1);
  });

  test('shards that begin together share one look', async () => {
    const { watches, reads } = await watched();
    const all = Array.from({ length: 8 }, () => watches.subscribe('acme', batchId));
    await Promise.all(all.map((watch) => watch.sight()));
    expect(reads()).toBe(4);
  });

  test('sees that the batch was removed, and that it has ended', async () => {
    const { world, watches } = await watched();
    const watch = watches.subscribe('acme', batchId);
    await world.store.put(keys.manifest('acme', batchId), Buffer.from('{}'));
    expect(await watch.sight()).toMatchObject({ exists: true, ended: true });
    await world.store.delete(keys.submit('acme', batchId));
    await world.clock.advance(2000);
    expect(await watch.sight()).toMatchObject({ exists: false });
  });

  test('goes on when the store is away, and asks it no more often', async () => {
    const { world, watches } = await watched();
    const watch = watches.subscribe('acme', batchId);
    world.store.fault = () => ({ fail: 'before' });
    await world.clock.advance(20_000);
    expect(looks(world)).toBe(10);
    await expect(watch.sight()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.log.of('shard.watch_failed')).toHaveLength(10);
    world.store.fault = () => undefined;
    await cancel(world);
    await world.clock.advance(4000);
    expect(watch.signal.reason).toBe('user_cancel');
  });
});
