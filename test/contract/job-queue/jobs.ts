import { describe, expect, it } from 'vitest';
import type { RunningJob } from '../../../src/ports/job-queue.js';
import { gate, queueSuite, type QueueHarness } from './harness.js';

/** What becomes of jobs from when they are added until they are done or taken back. */
export function describeJobs(name: string, open: () => Promise<QueueHarness>): void {
  describe(`${name}: jobs`, () => {
    const { start, consume, emptied } = queueSuite(open);

    it('does a job once, gives its payload, and removes it', async () => {
      const { queue, until } = await start();
      const seen: RunningJob[] = [];
      consume('shard', 1, (job) => {
        seen.push(job);
        return Promise.resolve();
      });
      await queue.add('shard', [{ id: 's-1', payload: { batchId: 'batch_1', shard: 3 }, priority: 5 }]);
      await until('the job is done', async () => seen.length === 1 && (await emptied('shard')));
      expect(seen).toEqual([{ id: 's-1', payload: { batchId: 'batch_1', shard: 3 }, attempt: 0, stalls: 0 }]);
      expect(await queue.has('shard', 's-1')).toBe(false);
    });

    it('ignores a job whose id is waiting, delayed or active, and takes it again once it has ended', async () => {
      const { queue, until } = await start();
      await queue.add('plan', [{ id: 'plan-1', payload: { first: true } }]);
      await queue.add('plan', [{ id: 'plan-1', payload: { first: false } }]);
      await queue.add('plan', [{ id: 'plan-2', payload: {}, delayMs: 50 }]);
      await queue.add('plan', [{ id: 'plan-2', payload: {} }]);
      expect(await queue.backlog('plan')).toEqual({ waiting: 1, active: 0, delayed: 1 });

      const { handler, open: letGo } = gate();
      const payloads: unknown[] = [];
      consume('plan', 2, async (job, signal) => {
        payloads.push(job.payload);
        await handler(job, signal);
      });
      await until('both are active', async () => (await queue.backlog('plan')).active === 2);
      await queue.add('plan', [{ id: 'plan-1', payload: { first: false } }]);
      expect(await queue.backlog('plan')).toEqual({ waiting: 0, active: 2, delayed: 0 });
      expect(await queue.has('plan', 'plan-1')).toBe(true);
      letGo();
      await until('both are done', () => emptied('plan'));
      await queue.add('plan', [{ id: 'plan-1', payload: { again: true } }]);
      await until('it is done again', async () => payloads.length === 3 && (await emptied('plan')));
      expect(payloads).toEqual([{ first: true }, {}, { again: true }]);
    });

    it('takes a waiting or delayed job back, and leaves one that is being done', async () => {
      const { queue, until } = await start();
      await queue.add('live', [
        { id: 'waits', payload: {} },
        { id: 'waits-long', payload: {}, priority: 3 },
        { id: 'later', payload: {}, delayMs: 60_000 },
      ]);
      for (const id of ['waits', 'waits-long', 'later', 'unknown']) await queue.remove('live', id);
      expect(await queue.backlog('live')).toEqual({ waiting: 0, active: 0, delayed: 0 });
      await queue.add('live', [{ id: 'held', payload: {} }]);
      const { handler, open: letGo } = gate();
      const consumer = consume('live', 1, handler);
      await until('it is active', () => consumer.active() === 1);
      await queue.remove('live', 'held');
      expect(await queue.has('live', 'held')).toBe(true);
      letGo();
      await until('it is done', () => emptied('live'));
    });

    it('keeps kinds apart', async () => {
      const { queue } = await start();
      await queue.add('finish', [{ id: 'a', payload: {} }]);
      expect(await queue.has('finish', 'a')).toBe(true);
      expect(await queue.has('shard', 'a')).toBe(false);
      expect((await queue.backlog('deliver')).waiting).toBe(0);
    });

    it.each(['shard', 'finish'] as const)('tells which jobs of kind %s it does not hold', async (kind) => {
      const { queue, until } = await start();
      await queue.add(kind, [{ id: 'held', payload: {}, priority: 1 }]);
      const { handler, open: letGo } = gate();
      consume(kind, 1, handler);
      await until('one is active', async () => (await queue.backlog(kind)).active === 1);
      await queue.add(kind, [
        { id: 'waits', payload: {}, priority: 7 },
        { id: 'later', payload: {}, delayMs: 60_000 },
      ]);
      expect(await queue.missing(kind, ['held', 'waits', 'later'])).toEqual([]);
      expect(await queue.missing(kind, ['no-1', 'held', 'waits', 'no-2', 'later'])).toEqual(['no-1', 'no-2']);
      expect(await queue.missing(kind, [])).toEqual([]);
      letGo();
      await until('those two are done', async () => {
        const { waiting, active } = await queue.backlog(kind);
        return waiting + active === 0;
      });
      await until('it knows', async () => (await queue.missing(kind, ['held', 'waits', 'later'])).length === 2);
    });

    it('does a delayed job not before its time', async () => {
      const { queue, until, now } = await start();
      const addedMs = now();
      let doneMs = 0;
      consume('deliver', 1, () => {
        doneMs = now();
        return Promise.resolve();
      });
      await queue.add('deliver', [{ id: 'd', payload: {}, delayMs: 300 }]);
      await until('it is done', () => doneMs > 0);
      expect(doneMs - addedMs).toBeGreaterThanOrEqual(299);
    });

    it('adds more jobs than one command carries', async () => {
      const { queue } = await start();
      await queue.add(
        'shard',
        Array.from({ length: 1203 }, (_, i) => ({ id: `s-${i}`, payload: { shard: i }, priority: i + 1 })),
      );
      expect((await queue.backlog('shard')).waiting).toBe(1203);
    });
  });
}
