import { expect, test } from 'vitest';
import { QuickShared } from '../../../../src/app/quotas/quick-shared.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { MemoryLog } from '../../../support/memory-log.js';
import { MemorySharedState } from '../../../support/memory-shared-state.js';

function make() {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const shared = new MemorySharedState(clock);
  const quick = new QuickShared({ clock, log, shared });
  const ask = () => quick.ask((state) => state.takeToken('a', 1000));
  return { clock, log, shared, quick, ask };
}

test('gives the answer, and leaves no timer behind', async () => {
  const { ask, clock } = make();
  expect(await ask()).toMatchObject({ taken: true });
  await expect(clock.until('a timer', () => false)).rejects.toThrow('Nothing is left');
});

test('after a failure nobody is asked for a while, then one call tries it', async () => {
  const { ask, clock, shared, log } = make();
  shared.unavailable = true;
  for (let n = 0; n < 1000; n++) expect(await ask()).toBeNull();
  expect(shared.calls).toBe(1);
  await clock.advance(bounds.sharedRestMs);
  await Promise.all(Array.from({ length: 1000 }, ask));
  expect(shared.calls).toBe(2);
  expect(log.of('shared.away')).toHaveLength(1);
  shared.unavailable = false;
  expect(await ask(), 'still left alone').toBeNull();
  await clock.advance(bounds.sharedRestMs);
  expect(await ask()).not.toBeNull();
  expect(await ask()).not.toBeNull();
  expect(log.of('shared.back')).toHaveLength(1);
});

test('who does not answer is not waited for, by the others neither', async () => {
  const { clock, quick, ask } = make();
  let late: (error: Error) => void = () => undefined;
  const hanging = quick.ask(() => new Promise<object>((_, reject) => (late = reject)));
  await clock.advance(bounds.sharedAnswerMs);
  expect(await hanging).toBeNull();
  expect(await ask()).toBeNull();
  late(new Error('Told to nobody.'));
  await clock.advance(bounds.sharedRestMs);
  const again = quick.ask(() => new Promise<object>(() => undefined));
  expect(await ask(), 'while one tries it the others go on').toBeNull();
  await clock.advance(bounds.sharedAnswerMs);
  expect(await again).toBeNull();
});

test('a fault of ours is no outage', async () => {
  const { quick, ask } = make();
  await expect(quick.ask(() => Promise.reject(new TypeError('no')))).rejects.toThrow(TypeError);
  expect(await ask()).not.toBeNull();
});
