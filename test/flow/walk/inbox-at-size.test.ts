import { expect, test } from 'vitest';
import { InboxWatcher } from '../../../src/app/watch-inbox.js';
import { bounds } from '../../../src/domain/bounds.js';
import type { StoreCall } from '../../support/memory-store.js';
import { fakeWorld, type FakeWorld } from '../../support/fake-world.js';
import { mend } from '../../support/store-faults.js';

const callsPerTake = 8;
const callsPerPollMax = bounds.inboxPagesPerPoll + callsPerTake * bounds.inboxTakesPerPoll;

function worldOf(...tenants: readonly string[]): FakeWorld {
  const world = fakeWorld();
  return { ...world, tenants: { ...world.tenants, inboxTenants: () => tenants } };
}

const drop = (world: FakeWorld, tenant: string, name: string): Promise<unknown> =>
  world.store.put(`inbox/${tenant}/${name}.jsonl`, Buffer.from('{}'));

async function fill(world: FakeWorld, tenant: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await drop(world, tenant, `drop-${String(n).padStart(6, '0')}`);
}

/** Batches that were made of a tenant's drops. */
const batchesOf = ({ log }: FakeWorld, tenant: string): number =>
  log.of('batch.accepted').filter(({ fields }) => fields['tenant'] === tenant).length;

async function callsOf(world: FakeWorld, step: () => Promise<void>): Promise<readonly StoreCall[]> {
  const before = world.store.calls.length;
  await step();
  return world.store.calls.slice(before);
}

test('a huge inbox delays nobody’s drop, each poll of it is bounded, and all of it is taken once', async () => {
  const world = worldOf('huge', 'small');
  const watcher = new InboxWatcher(world);
  const size = 25_000;
  await fill(world, 'huge', size);
  for (let n = 0; batchesOf(world, 'huge') < size; n++) {
    if (n % 20 === 0) await drop(world, 'small', `${n}`);
    const calls = await callsOf(world, () => watcher.poll());
    expect(calls.length).toBeLessThan(callsPerPollMax + 100);
    expect(batchesOf(world, 'small'), `poll ${n}`).toBe(Math.floor((n + 19) / 20));
    expect(n, 'polls').toBeLessThan(100);
  }
  const windows = Math.ceil(size / (1000 * bounds.inboxPagesPerPoll));
  // What is taken costs its listing only; a new drop is found within a round.
  await drop(world, 'huge', 'zzz');
  for (let n = 0; n < 4 * windows; n++) {
    const calls = await callsOf(world, () => watcher.poll());
    expect(calls.length).toBeLessThanOrEqual(bounds.inboxPagesPerPoll + 1 + callsPerTake);
  }
  expect(batchesOf(world, 'huge')).toBe(size + 1);
}, 120_000);

test('an inbox beyond what is remembered is still walked to its end, round after round', async () => {
  // So many that each has the least share of what is remembered.
  const idle = Array.from({ length: 100 }, (_, n) => `idle-${n}`);
  const world = worldOf('huge', ...idle);
  const size = 1.5 * bounds.inboxRememberedMin;
  await fill(world, 'huge', size);
  const watcher = new InboxWatcher(world);
  for (let round = 0; round <= 2; round++) {
    await drop(world, 'huge', `zzz-${round}`);
    for (let n = 0; n < 25; n++) await watcher.poll();
    expect(batchesOf(world, 'huge')).toBe(size + 1 + round);
  }
}, 120_000);

test('of several processes one looks; another goes on when it ends, and at last when it dies', async () => {
  const world = worldOf('acme');
  const watcherOf = (shared: FakeWorld['shared']) => new InboxWatcher({ ...world, shared }, 5000);
  const [here, there, third] = [world.shared, world.shared.another(), world.shared.another()].map(watcherOf) as [
    InboxWatcher,
    InboxWatcher,
    InboxWatcher,
  ];
  const pollAll = async () => {
    for (const watcher of [here, there, third]) await watcher.poll();
    await world.clock.advance(5000);
  };
  await drop(world, 'acme', 'one');
  for (let n = 0; n < 10; n++) {
    const calls = await callsOf(world, pollAll);
    expect(calls.filter(({ operation }) => operation === 'list')).toHaveLength(1);
  }
  expect(batchesOf(world, 'acme')).toBe(1);
  await here.close();
  await world.clock.advance(1);
  await drop(world, 'acme', 'two');
  for (let n = 0; n < 2; n++) await there.poll();
  expect(batchesOf(world, 'acme')).toBe(2);
  // `there` is not heard of any more.
  await drop(world, 'acme', 'three');
  await third.poll();
  await third.poll();
  expect(batchesOf(world, 'acme')).toBe(2);
  await world.clock.advance(bounds.sweepLeaseMsMin);
  await third.poll();
  await third.poll();
  expect(batchesOf(world, 'acme')).toBe(3);
});

test('while Redis is away every process looks, and each drop is one batch all the same', async () => {
  const world = worldOf('acme');
  const other = { ...world, shared: world.shared.another() };
  world.shared.unavailable = other.shared.unavailable = true;
  await drop(world, 'acme', 'one');
  const watchers = [new InboxWatcher(world), new InboxWatcher(other)];
  for (let n = 0; n < 2; n++) await Promise.all(watchers.map((watcher) => watcher.poll()));
  expect(world.store.keys().filter((key) => key.endsWith('/submit.json'))).toHaveLength(1);
});

test('inboxes are looked at side by side, and one that cannot be listed keeps no other from its turn', async () => {
  const tenants = Array.from({ length: 20 }, (_, n) => `tenant-${n}`);
  const world = worldOf(...tenants);
  const watcher = new InboxWatcher(world);
  for (const tenant of tenants) await drop(world, tenant, 'one');
  await watcher.poll();
  world.store.fault = ({ operation, key }) => {
    if (operation !== 'list') return undefined;
    return key === 'inbox/tenant-0/' ? { fail: 'before' } : { delayMs: 1000 };
  };
  const started = world.clock.monotonic();
  let done = false;
  void watcher.poll().then(() => (done = true));
  await world.clock.until('the poll', () => done);
  expect(world.clock.monotonic() - started).toBeLessThanOrEqual(1000 * Math.ceil(20 / bounds.inboxesAtOnce));
  expect(world.log.of('inbox.failed').map(({ fields }) => fields['tenant'])).toEqual(['tenant-0']);
  mend(world.store);
  expect(tenants.map((tenant) => batchesOf(world, tenant))).toEqual([0, ...Array.from({ length: 19 }, () => 1)]);
  await watcher.poll();
  expect(batchesOf(world, 'tenant-0')).toBe(1);
});
