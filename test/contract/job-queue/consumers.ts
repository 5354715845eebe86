import { describe, expect, it } from 'vitest';
import type { RunningJob } from '../../../src/ports/job-queue.js';
import { done, gate, queueSuite, type QueueHarness } from './harness.js';

/** How many jobs a consumer takes, and what it does with them when it pauses or closes. */
export function describeConsumers(name: string, open: () => Promise<QueueHarness>): void {
  describe(`${name}: consumers`, () => {
    const { start, consume, emptied } = queueSuite(open);

    it('runs no more jobs at once than asked for', async () => {
      const { queue, until } = await start();
      await queue.add(
        'shard',
        Array.from({ length: 6 }, (_, i) => ({ id: `s-${i}`, payload: {}, priority: 1 })),
      );
      const { handler, open: letGo } = gate();
      const consumer = consume('shard', 3, handler);
      await until('three are active', () => consumer.active() === 3);
      expect(await queue.backlog('shard')).toEqual({ waiting: 3, active: 3, delayed: 0 });
      letGo();
      await until('all are done', () => emptied('shard'));
      expect(consumer.active()).toBe(0);
    });

    it('lets a closing consumer end its jobs within the grace and take no other', async () => {
      const { queue, until, pass } = await start();
      await queue.add('shard', [
        { id: 'held', payload: {}, priority: 1 },
        { id: 'left', payload: {}, priority: 2 },
      ]);
      const { handler, open: letGo, reasons } = gate();
      const consumer = consume('shard', 1, handler);
      await until('one is active', () => consumer.active() === 1);
      const closed = consumer.close(60_000);
      await pass(50);
      letGo();
      await closed;
      expect(reasons).toEqual([]);
      expect(await queue.backlog('shard')).toEqual({ waiting: 1, active: 0, delayed: 0 });
      expect(await queue.has('shard', 'left')).toBe(true);
    });

    it('hands jobs back when the grace is over, without a stall and without a used try', async () => {
      const { queue, until, pass } = await start();
      await queue.add('shard', [{ id: 's', payload: {}, priority: 7 }]);
      const { handler, reasons } = gate();
      const consumer = consume('shard', 1, handler);
      await until('it is active', () => consumer.active() === 1);
      let closed = false;
      const closing = consumer.close(50).then(() => (closed = true));
      await pass(100);
      await until('the consumer has closed', () => closed);
      await closing;
      expect(reasons).toEqual(['shutdown']);
      expect(await queue.backlog('shard')).toEqual({ waiting: 1, active: 0, delayed: 0 });
      const seen: RunningJob[] = [];
      consume('shard', 1, (job) => {
        seen.push(job);
        return Promise.resolve();
      });
      await until('another does it', async () => seen.length === 1 && (await emptied('shard')));
      expect(seen[0]).toMatchObject({ id: 's', attempt: 0, stalls: 0 });
    });

    it('takes no more than one job that is on its way while it is paused, keeps what it holds, and goes on after it', async () => {
      const { queue, until, pass } = await start();
      await queue.add('shard', [{ id: 's-1', payload: {}, priority: 1 }]);
      const { handler, open: letGo } = gate();
      const seen: string[] = [];
      const consumer = consume('shard', 2, async (job, signal) => {
        seen.push(job.id);
        if (job.id === 's-1') await handler(job, signal);
      });
      await until('the first is held', () => consumer.active() === 1);
      consumer.pause();
      const others = ['s-2', 's-3', 's-4'];
      await queue.add(
        'shard',
        others.map((id, at) => ({ id, payload: {}, priority: at + 2 })),
      );
      // Longer than the lock: the one that is held stays this consumer's.
      await pass(2500);
      expect(seen.length).toBeLessThanOrEqual(2);
      expect(seen[0]).toBe('s-1');
      letGo();
      await until('the held one is done', () => consumer.active() === 0);
      for (const id of ['s-3', 's-4']) expect(await queue.has('shard', id)).toBe(true);
      consumer.resume();
      await until('all are done', () => emptied('shard'));
      expect(seen).toEqual(['s-1', ...others]);
    });

    it('closes a consumer that has nothing to do', async () => {
      await start();
      const consumer = consume('finish', 2, done);
      await consumer.close(1000);
      expect(consumer.active()).toBe(0);
    });
  });
}
