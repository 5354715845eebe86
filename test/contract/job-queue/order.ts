import { describe, expect, it } from 'vitest';
import type { JobHandler, RunningJob } from '../../../src/ports/job-queue.js';
import { done, gate, queueSuite, type QueueHarness } from './harness.js';

/** In which order waiting shards are given out. */
export function describeJobOrder(name: string, open: () => Promise<QueueHarness>): void {
  describe(`${name}: the order of shards`, () => {
    const { start, consume, emptied } = queueSuite(open);

    it('tells the priority of the next waiting job', async () => {
      const { queue, until } = await start();
      expect(await queue.front('shard')).toBeNull();
      await queue.add('shard', [
        { id: 's-1', payload: {}, priority: 1500 },
        { id: 's-2', payload: {}, priority: 1016 },
        { id: 's-3', payload: {}, priority: 7, delayMs: 60_000 },
      ]);
      expect(await queue.front('shard')).toBe(1016);
      const { handler, open: letGo } = gate();
      consume('shard', 1, handler);
      await until('one is active', async () => (await queue.backlog('shard')).active === 1);
      expect(await queue.front('shard')).toBe(1500);
      letGo();
      await until('only the delayed one is left', async () => (await queue.backlog('shard')).waiting === 0);
      expect(await queue.front('shard')).toBeNull();
    });

    it('takes lower priorities first, equal ones in their order, and those without one last', async () => {
      const { queue, until } = await start();
      await queue.add('shard', [
        { id: 'none', payload: {} },
        { id: 'p9-first', payload: {}, priority: 9 },
        { id: 'p2', payload: {}, priority: 2 },
        { id: 'p9-second', payload: {}, priority: 9 },
        { id: 'last', payload: {}, priority: 2_097_151 },
      ]);
      await queue.add('shard', [{ id: 'p1', payload: {}, priority: 1 }]);
      const order: string[] = [];
      consume('shard', 1, (job) => {
        order.push(job.id);
        return Promise.resolve();
      });
      await until('all are done', () => emptied('shard'));
      expect(order).toEqual(['p1', 'p2', 'p9-first', 'p9-second', 'last', 'none']);
    });

    it('takes any finite priority: beyond 2^21, fractions, and the rest of what a float64 cannot tell apart', async () => {
      const { queue, until } = await start();
      const far = 2 ** 58;
      await queue.add('shard', [
        { id: 'far-late', payload: {}, priority: far, rest: 17.25 },
        { id: 'far-none', payload: {}, priority: far },
        { id: 'far-early', payload: {}, priority: far, rest: -0.5 },
        { id: 'far-second', payload: {}, priority: far, rest: 17.25 },
        { id: 'beyond', payload: {}, priority: 2_097_152 },
        { id: 'third', payload: {}, priority: 1 / 3 },
        { id: 'zero', payload: {}, priority: 0 },
        { id: 'half', payload: {}, priority: 0.5 },
        { id: 'beyond-more', payload: {}, priority: 2_097_152.25 },
      ]);
      await queue.add('shard', [{ id: 'after-third', payload: {}, priority: 1 / 3 + 2 ** -53 }]);
      expect(await queue.front('shard')).toBe(0);
      const order: string[] = [];
      consume('shard', 1, (job) => {
        order.push(job.id);
        return Promise.resolve();
      });
      await until('all are done', () => emptied('shard'));
      expect(order).toEqual([
        'zero',
        'third',
        'after-third',
        'half',
        'beyond',
        'beyond-more',
        'far-early',
        'far-none',
        'far-late',
        'far-second',
      ]);
    });

    it('orders no other kind by priority', async () => {
      const { queue, until } = await start();
      await queue.add('live', [
        { id: 'first', payload: {} },
        { id: 'second', payload: {}, priority: 9 },
        { id: 'third', payload: {}, priority: 2 },
      ]);
      expect(await queue.front('live')).toBeNull();
      const order: string[] = [];
      consume('live', 1, (job) => {
        order.push(job.id);
        return Promise.resolve();
      });
      await until('all are done', () => emptied('live'));
      expect(order).toEqual(['first', 'second', 'third']);
    });

    it('leaves a shard that it holds where it is, whatever priority it is added with', async () => {
      const { queue, until } = await start();
      await queue.add('shard', [
        { id: 'a', payload: { first: true }, priority: 5 },
        { id: 'b', payload: {}, priority: 4 },
        { id: 'late', payload: {}, priority: 3, delayMs: 60_000 },
      ]);
      await queue.add('shard', [
        { id: 'a', payload: { first: false }, priority: 1 },
        { id: 'b', payload: {} },
        { id: 'late', payload: {}, priority: 0 },
        { id: 'a', payload: {}, delayMs: 60_000 },
      ]);
      expect(await queue.backlog('shard')).toEqual({ waiting: 2, active: 0, delayed: 1 });
      const { handler, open: letGo } = gate();
      const seen: RunningJob[] = [];
      consume('shard', 1, (job, signal) => {
        seen.push(job);
        return handler(job, signal);
      });
      await until('one is active', async () => (await queue.backlog('shard')).active === 1);
      await queue.add('shard', [{ id: 'b', payload: {}, priority: 0 }]);
      expect(await queue.backlog('shard')).toEqual({ waiting: 1, active: 1, delayed: 1 });
      letGo();
      await until('only the delayed one is left', async () => {
        const { waiting, active } = await queue.backlog('shard');
        return waiting + active === 0;
      });
      expect(seen.map(({ id, payload }) => [id, payload])).toEqual([
        ['b', {}],
        ['a', { first: true }],
      ]);
      expect(await queue.has('shard', 'a')).toBe(false);
      expect(await queue.has('shard', 'late')).toBe(true);
    });

    it('takes a waiting shard back', async () => {
      const { queue } = await start();
      await queue.add('shard', [
        { id: 'a', payload: {}, priority: 1 },
        { id: 'b', payload: {}, priority: 2 },
        { id: 'none', payload: {} },
        { id: 'late', payload: {}, delayMs: 60_000 },
      ]);
      for (const id of ['a', 'none', 'late', 'unknown']) await queue.remove('shard', id);
      expect(await queue.backlog('shard')).toEqual({ waiting: 1, active: 0, delayed: 0 });
      expect(await queue.front('shard')).toBe(2);
      await queue.add('shard', [{ id: 'a', payload: {}, priority: 1 }]);
      expect(await queue.front('shard')).toBe(1);
    });

    it('has a clock for shards, not known at first, which follows what is given out and never goes back', async () => {
      const { queue, until } = await start();
      expect(await queue.clock('shard')).toBeNull();
      const jobs = (...priorities: number[]) =>
        priorities.map((priority) => ({ id: `s-${Math.floor(priority)}`, payload: {}, priority }));
      consume('shard', 1, done);
      await queue.add('shard', jobs(7));
      await until('it is done', () => emptied('shard'));
      expect(await queue.clock('shard'), 'what is given out does not make it known').toBeNull();
      await queue.raiseClock('shard', 1000.5);
      expect(await queue.clock('shard')).toBe(1000.5);
      await queue.raiseClock('shard', 900);
      expect(await queue.clock('shard')).toBe(1000.5);
      await queue.add('shard', [{ id: 'none', payload: {} }, ...jobs(3, 999)]);
      await until('all are done', () => emptied('shard'));
      expect(await queue.clock('shard')).toBe(1000.5);
      await queue.add('shard', jobs(2 ** 40 + 2 ** -12, 2));
      await until('both are done', () => emptied('shard'));
      expect(await queue.clock('shard')).toBe(2 ** 40 + 2 ** -12);
      await queue.raiseClock('live', 5);
      expect(await queue.clock('live')).toBeNull();
    });

    it('gives every shard out once, whoever asks', async () => {
      const { queue, until } = await start();
      const runs = new Map<string, number>();
      const work: JobHandler = async ({ id }) => {
        runs.set(id, (runs.get(id) ?? 0) + 1);
        await Promise.resolve();
      };
      const batch = (letter: string) =>
        Array.from({ length: 150 }, (_, n) => ({ id: `${letter}-${n}`, payload: {}, priority: n }));
      await queue.add('shard', batch('a'));
      for (let n = 0; n < 3; n++) consume('shard', 4, work);
      await queue.add('shard', batch('b'));
      await until('all are done', async () => runs.size === 300 && (await emptied('shard')));
      expect([...runs.values()].filter((times) => times !== 1)).toEqual([]);
    });
  });
}
