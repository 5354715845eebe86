import { expect, it } from 'vitest';
import { FakeClock } from '../support/fake-clock.js';
import { MemorySharedState } from '../support/memory-shared-state.js';
import { describeSharedState } from './shared-state.js';

describeSharedState('MemorySharedState', () => {
  const clock = new FakeClock();
  const here = new MemorySharedState(clock);
  return { here, there: here.another(), pass: (ms) => clock.advance(ms), close: () => Promise.resolve() };
});

it('MemorySharedState can be away and can lose everything', async () => {
  const shared = new MemorySharedState(new FakeClock());
  await shared.takeToken('a', 1);
  shared.unavailable = true;
  await expect(shared.takeToken('a', 1)).rejects.toMatchObject({ code: 'queue_unavailable' });
  shared.unavailable = false;
  expect((await shared.takeToken('a', 1)).taken).toBe(false);
  shared.wipe();
  expect((await shared.takeToken('a', 1)).taken).toBe(true);
});
