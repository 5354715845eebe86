import { expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock/system-clock.js';
import { FakeClock } from '../support/fake-clock.js';
import { MemoryStore } from '../support/memory-store.js';
import { describeObjectStore } from './object-store.js';

describeObjectStore('MemoryStore', { raceRounds: 20, longStreamBytes: 300_000 }, () => {
  const store = new MemoryStore(new SystemClock());
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
