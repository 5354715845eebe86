import { expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock/system-clock.js';
import { FakeClock } from '../support/fake-clock.js';
import { FaultyStore } from '../support/faulty-store.js';
import { MemoryStore } from '../support/memory-store.js';
import { describeObjectStore } from './object-store.js';

describeObjectStore('MemoryStore', { raceRounds: 20, longStreamBytes: 300_000 }, () => {
  const store = new MemoryStore(new SystemClock());
  return Promise.resolve({ store, another: () => Promise.resolve(store), close: () => Promise.resolve() });
});

describeObjectStore('FaultyStore', { raceRounds: 5, longStreamBytes: 300_000 }, () => {
  const store = new FaultyStore(new MemoryStore(new SystemClock()));
  return Promise.resolve({ store, another: () => Promise.resolve(store), close: () => Promise.resolve() });
});

it('MemoryStore fails before or after a call is done, as told, and can be slow', async () => {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const bytes = new Uint8Array([1]);
  store.fault = ({ key }) =>
    key === 'lost' ? { fail: 'before' } : key === 'done' ? { fail: 'after' } : { delayMs: 500 };
  await expect(store.create('lost', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
  await expect(store.create('done', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(store.keys()).toEqual(['done']);
  let finished = false;
  const slow = store.put('slow', bytes).then(() => (finished = true));
  await clock.advance(499);
  expect(finished).toBe(false);
  await clock.advance(1);
  await slow;
  expect(store.calls.map(({ operation, key }) => `${operation} ${key}`)).toEqual([
    'create lost',
    'create done',
    'put slow',
  ]);
});

it('FaultyStore fails before or after a call is done, and is idle when no call is under way', async () => {
  const clock = new FakeClock();
  const inner = new MemoryStore(clock);
  const store = new FaultyStore(inner);
  store.fault = ({ operation, key }) => {
    if (key === 'lost' || (operation === 'delete' && key === 'b')) return { fail: 'before' };
    return key === 'done' ? { fail: 'after' } : undefined;
  };
  const bytes = new Uint8Array([1]);
  await expect(store.create('lost', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
  await expect(store.create('done', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
  for (const key of ['a', 'b', 'c']) await store.put(key, bytes);
  await expect(store.deleteMany(['a', 'b', 'c'])).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(inner.keys()).toEqual(['b', 'c', 'done']);

  inner.fault = () => ({ delayMs: 500 });
  let idle = false;
  const slow = store.put('slow', bytes);
  const rest = store.idle().then(() => (idle = true));
  await clock.advance(499);
  expect(idle).toBe(false);
  await clock.advance(1);
  await Promise.all([slow, rest]);
  expect(idle).toBe(true);
});
