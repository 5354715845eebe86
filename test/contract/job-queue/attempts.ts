import { describe, expect, it } from 'vitest';
import { EyrieError } from '../../../src/domain/errors.js';
import { PutBack, type RunningJob } from '../../../src/ports/job-queue.js';
import { queueSuite, retryDelayMs, type QueueHarness } from './harness.js';

/** What becomes of jobs whose handler fails or whose process dies. */
export function describeJobAttempts(name: string, open: () => Promise<QueueHarness>): void {
  describe(`${name}: jobs that fail`, () => {
    const { start, consume, keep, emptied } = queueSuite(open);

    it('tries again after a retryable error, later each time, and gives up after five tries', async () => {
      const { queue, until, now } = await start();
      const tries: { attempt: number; ms: number }[] = [];
      consume('shard', 1, ({ attempt }) => {
        tries.push({ attempt, ms: now() });
        return Promise.reject(new EyrieError('store_unavailable', 'SECRET PROMPT'));
      });
      await queue.add('shard', [{ id: 's', payload: {}, priority: 1 }]);
      await until('it is given up', async () => tries.length === 5 && (await emptied('shard')));
      expect(tries.map(({ attempt }) => attempt)).toEqual([0, 1, 2, 3, 4]);
      const gaps = tries.slice(1).map(({ ms }, i) => ms - (tries[i]?.ms ?? 0));
      // At least half of the full delay: jitter takes off at most that.
      gaps.forEach((gap, i) => expect(gap).toBeGreaterThanOrEqual((retryDelayMs * 2 ** i) / 2 - 1));
    });

    it('puts a job back that its handler cannot take yet, as often as it says so, and takes others meanwhile', async () => {
      const { queue, until } = await start();
      const ended: string[] = [];
      let puts = 0;
      consume('live', 1, (job) => {
        if (job.id === 'early' && puts < 7) {
          puts++;
          return Promise.reject(new PutBack(retryDelayMs / 2));
        }
        ended.push(`${job.id} ${job.attempt} ${job.stalls}`);
        return Promise.resolve();
      });
      await queue.add('live', [{ id: 'early', payload: {} }]);
      await until('it was put back', () => puts > 0);
      await queue.add('live', [{ id: 'other', payload: {} }]);
      await until('all are done', () => emptied('live'));
      expect(puts).toBe(7);
      expect(ended).toEqual(['other 0 0', 'early 0 0']);
    });

    it('removes a job at once after an error that is not retryable', async () => {
      const { queue, until } = await start();
      let tries = 0;
      consume('shard', 1, () => {
        tries++;
        return Promise.reject(new EyrieError('invalid_request', 'SECRET PROMPT'));
      });
      await queue.add('shard', [{ id: 's', payload: {} }]);
      await until('it is gone', async () => tries > 0 && (await emptied('shard')));
      expect(tries).toBe(1);
      expect(await queue.has('shard', 's')).toBe(false);
    });

    it('gives the job of a killed process to another, and counts the stall', async () => {
      const { queue, until, startHangingProcess } = await start();
      await queue.add('shard', [{ id: 's', payload: { shard: 1 }, priority: 4 }]);
      const holder = await startHangingProcess('shard');
      await until('it is held', async () => (await queue.backlog('shard')).active === 1);
      await holder.kill();
      const seen: RunningJob[] = [];
      consume('shard', 1, (job) => {
        seen.push(job);
        return Promise.resolve();
      });
      await until('another does it', async () => seen.length === 1 && (await emptied('shard')));
      expect(seen).toEqual([{ id: 's', payload: { shard: 1 }, attempt: 0, stalls: 1 }]);
    });

    it('puts the job of a killed process back with nobody there to do it', async () => {
      const { queue, until, startHangingProcess } = await start();
      await queue.add('shard', [{ id: 's', payload: {}, priority: 4 }]);
      const holder = await startHangingProcess('shard');
      await until('it is held', async () => (await queue.backlog('shard')).active === 1);
      await holder.kill();
      const watcher = queue.watchStalled('shard');
      keep(watcher);
      expect(watcher.active()).toBe(0);
      await until('it waits', async () => (await queue.backlog('shard')).waiting === 1);
      expect(await queue.has('shard', 's')).toBe(true);
    });
  });
}
