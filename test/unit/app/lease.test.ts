import { expect, test } from 'vitest';
import { repeat } from '../../../src/app/repeat.js';
import { Lease } from '../../../src/app/sweep/lease.js';
import { fakeWorld, type FakeWorld } from '../../support/fake-world.js';

/** Another process over the same world, that sweeps every 5 s. */
function sweeper(world: FakeWorld, step: () => Promise<unknown>) {
  const shared = world.shared.another();
  const lease = new Lease({ ...world, shared }, 'janitor', 5000);
  const stop = new AbortController();
  void repeat(world, 'janitor', 5000, () => lease.run(step), stop.signal);
  return { lease, shared, kill: () => stop.abort() };
}

const counted = (count: Record<string, number>, name: string) => () => {
  count[name] = (count[name] ?? 0) + 1;
  return Promise.resolve();
};

test('of several processes one sweeps, and another takes over soon after its death', async () => {
  const world = fakeWorld();
  const count: Record<string, number> = {};
  const first = sweeper(world, counted(count, 'a'));
  sweeper(world, counted(count, 'b'));
  sweeper(world, counted(count, 'c'));
  await world.clock.advance(3_600_000);
  expect(Object.keys(count)).toEqual(['a']);
  expect(count['a']).toBeLessThanOrEqual(721);
  first.kill();
  await world.clock.advance(20_000);
  expect(Object.keys(count)).toHaveLength(2);
});

test('one that is told to end hands over at once', async () => {
  const world = fakeWorld();
  const count: Record<string, number> = {};
  const first = sweeper(world, counted(count, 'a'));
  sweeper(world, counted(count, 'b'));
  await world.clock.advance(60_000);
  first.kill();
  await first.lease.release();
  await world.clock.advance(5000);
  expect(count['b']).toBe(1);
});

test('a sweep that takes longer than the lease is not begun by another', async () => {
  const world = fakeWorld();
  const count: Record<string, number> = {};
  sweeper(world, async () => {
    await counted(count, 'a')();
    await world.clock.sleep(600_000);
  });
  sweeper(world, counted(count, 'b'));
  await world.clock.advance(590_000);
  expect(count).toEqual({ a: 1 });
});

test('while the shared state is away every process sweeps, and one again when it is back', async () => {
  const world = fakeWorld();
  const count: Record<string, number> = {};
  const all = ['a', 'b'].map((name) => sweeper(world, counted(count, name)));
  await world.clock.advance(60_000);
  for (const { shared } of all) shared.unavailable = true;
  await world.clock.advance(60_000);
  expect(count['b']).toBeGreaterThan(10);
  for (const { shared } of all) shared.unavailable = false;
  await world.clock.advance(20_000);
  const before = { ...count };
  await world.clock.advance(600_000);
  expect(Object.keys(count).filter((name) => count[name] !== before[name])).toHaveLength(1);
});

test('a sweep that throws gives up nothing: it is tried again by the same process', async () => {
  const world = fakeWorld();
  let tries = 0;
  sweeper(world, () => {
    tries++;
    return Promise.reject(new Error('a fault of the test'));
  });
  await world.clock.advance(60_000);
  expect(tries).toBeGreaterThan(10);
  expect(world.log.of('janitor.failed')).toHaveLength(tries);
});
