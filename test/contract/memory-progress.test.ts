import { expect, it } from 'vitest';
import { FakeClock } from '../support/fake-clock.js';
import { MemoryProgress } from '../support/memory-progress.js';
import { describeProgressBoard } from './progress-board.js';

describeProgressBoard('MemoryProgress', () => {
  const clock = new FakeClock();
  return {
    board: new MemoryProgress(clock),
    speedTtlMs: 120_000,
    pass: (ms) => clock.advance(ms),
    close: () => Promise.resolve(),
  };
});

it('MemoryProgress can be away and can lose everything', async () => {
  const board = new MemoryProgress(new FakeClock());
  await board.record('batch_a', 0, { completed: 1, failed: 0, inputTokens: 1, outputTokens: 1 });
  board.unavailable = true;
  await expect(board.read('batch_a')).rejects.toMatchObject({ code: 'queue_unavailable' });
  board.unavailable = false;
  board.wipe();
  expect((await board.read('batch_a')).size).toBe(0);
});
