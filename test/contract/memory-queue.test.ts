import { expect, it } from 'vitest';
import { EyrieError } from '../../src/domain/errors.js';
import { FakeClock } from '../support/fake-clock.js';
import { MemoryQueue } from '../support/memory-queue.js';
import { describeJobQueue } from './job-queue/describe-job-queue.js';
import { retryDelayMs, type QueueHarness } from './job-queue/harness.js';

const open = (): Promise<QueueHarness> => {
  const clock = new FakeClock();
  const queue = new MemoryQueue(clock, { retryDelayMs });
  return Promise.resolve({
    queue,
    until: (what, condition) => clock.until(what, condition),
    pass: (ms) => clock.advance(ms),
    now: () => clock.now(),
    startHangingProcess: (kind) => {
      const consumer = queue.consume(kind, { concurrency: 1 }, () => new Promise(() => undefined));
      return Promise.resolve({
        kill: () => {
          queue.kill(consumer);
          return Promise.resolve();
        },
      });
    },
    close: () => Promise.resolve(),
  });
};

describeJobQueue('MemoryQueue', open);

it('MemoryQueue tells its holders when it is emptied', async () => {
  const clock = new FakeClock();
  const queue = new MemoryQueue(clock);
  let reason: unknown;
  queue.consume(
    'shard',
    { concurrency: 1 },
    (_job, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          reject(new EyrieError('internal_error', 'aborted'));
        });
      }),
  );
  await queue.add('shard', [{ id: 's', payload: {} }]);
  queue.wipe();
  expect(reason).toBe('lease_lost');
  expect(await queue.has('shard', 's')).toBe(false);
  queue.unavailable = true;
  await expect(queue.add('shard', [])).rejects.toMatchObject({ code: 'queue_unavailable' });
});
