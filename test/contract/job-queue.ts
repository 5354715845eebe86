import { afterEach, describe, expect, it } from 'vitest';
import { EyrieError } from '../../src/domain/errors.js';
import {
  PutBack,
  type Consumer,
  type JobHandler,
  type JobKind,
  type JobQueue,
  type RunningJob,
} from '../../src/ports/job-queue.js';

/** A queue under test. Times are short in the real one and fake in the other, so the suite waits for conditions only. */
export interface QueueHarness {
  readonly queue: JobQueue;
  /** Lets time pass until the condition holds. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>;
  /** Lets this much time pass. */
  pass(ms: number): Promise<void>;
  /** Unix ms of the queue's clock. */
  now(): number;
  /** Another process that takes one job and holds it, to be killed by `kill -9`. Resolves when it may take jobs. */
  startHangingProcess(kind: JobKind): Promise<{ kill(): Promise<void> }>;
  close(): Promise<void>;
}

/** First retry delay of the queues under test, in ms. */
export const retryDelayMs = 100;

const done: JobHandler = () => Promise.resolve();

/** A handler that holds its jobs until they are let go or aborted. */
function gate(): { handler: JobHandler; open: () => void; reasons: unknown[] } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reasons: unknown[] = [];
  const handler: JobHandler = (_job, signal) =>
    Promise.race([
      opened,
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(new Error('aborted'));
        });
      }),
    ]);
  return { handler, open, reasons };
}

export function describeJobQueue(name: string, open: () => Promise<QueueHarness>): void {
  describe(`${name} as JobQueue`, () => {
    let harness: QueueHarness;
    const consumers: Consumer[] = [];

    const start = async (): Promise<QueueHarness> => (harness = await open());
    const consume = (kind: JobKind, concurrency: number, handler: JobHandler): Consumer => {
      const consumer = harness.queue.consume(kind, { concurrency }, handler);
      consumers.push(consumer);
      return consumer;
    };
    const emptied = async (kind: JobKind): Promise<boolean> => {
      const { waiting, active, delayed } = await harness.queue.backlog(kind);
      return waiting + active + delayed === 0;
    };

    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close(0)));
      await harness.close();
    });

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

    it('adds more jobs than one command carries', async () => {
      const { queue } = await start();
      await queue.add(
        'shard',
        Array.from({ length: 1203 }, (_, i) => ({ id: `s-${i}`, payload: { shard: i }, priority: i + 1 })),
      );
      expect((await queue.backlog('shard')).waiting).toBe(1203);
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
      consumers.push(watcher);
      expect(watcher.active()).toBe(0);
      await until('it waits', async () => (await queue.backlog('shard')).waiting === 1);
      expect(await queue.has('shard', 's')).toBe(true);
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
