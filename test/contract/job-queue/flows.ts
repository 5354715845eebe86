import { afterEach, describe, expect, it } from 'vitest';
import type { ConsumeOptions, Consumer, Job, JobQueue } from '../../../src/ports/job-queue.js';
import type { QueueHarness } from './harness.js';

const ofTenant = (tenant: string, n: number, cost = 1, weight = 1): Job => ({
  id: `${tenant}-${n}`,
  payload: { tenant },
  flow: { tenant, cost, weight },
});
const several = (tenant: string, count: number, cost = 1, weight = 1): Job[] =>
  Array.from({ length: count }, (_, n) => ofTenant(tenant, n, cost, weight));

/** How jobs with a flow are shared out among tenants. */
export function describeJobFlows(name: string, open: () => Promise<QueueHarness>): void {
  describe(`${name}: jobs of several tenants`, () => {
    let harness: QueueHarness;
    const consumers: Consumer[] = [];
    const start = async (): Promise<QueueHarness> => (harness = await open());

    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close(0)));
      await harness.close();
    });

    /** Does what waits, one job at a time, and says in which order. */
    const drain = async (queue: JobQueue, count: number): Promise<string[]> => {
      const seen: string[] = [];
      consumers.push(
        queue.consume('live', { concurrency: 1 }, ({ id }) => {
          seen.push(id);
          return Promise.resolve();
        }),
      );
      await harness.until('all are done', () => seen.length === count);
      return seen;
    };

    /** Holds the jobs that it is given until they are let go. */
    const hold = (queue: JobQueue, options: ConsumeOptions) => {
      const held = new Map<string, () => void>();
      let isOpen = false;
      const consumer = queue.consume(
        'live',
        options,
        ({ id }) =>
          new Promise<void>((resolve) => {
            held.set(id, () => {
              held.delete(id);
              resolve();
            });
            if (isOpen) held.get(id)?.();
          }),
      );
      consumers.push(consumer);
      const letAllGo = async (): Promise<void> => {
        isOpen = true;
        for (const end of held.values()) end();
        await harness.until(
          'all are done',
          async () => (await queue.backlog('live')).waiting + consumer.active() === 0,
        );
      };
      return { held, consumer, letAllGo };
    };

    it('a tenant that comes later is not after all that another has piled up, and each keeps its own order', async () => {
      const { queue } = await start();
      await queue.add('live', several('mallory', 40));
      await queue.add('live', several('alice', 3));
      const seen = await drain(queue, 43);
      expect(seen.indexOf('alice-2')).toBeLessThan(8);
      for (const tenant of ['mallory', 'alice']) {
        const own = seen.filter((id) => id.startsWith(tenant));
        expect(own).toEqual(own.map((_, n) => `${tenant}-${n}`));
      }
    });

    it('tenants that wait all the time are served by their weights, and by what their jobs cost', async () => {
      const { queue } = await start();
      await queue.add('live', several('one', 60));
      await queue.add('live', several('four', 60, 1, 4));
      await queue.add('live', several('dear', 60, 10, 10));
      const first = (await drain(queue, 180)).slice(0, 60);
      const served = (tenant: string): number => first.filter((id) => id.startsWith(tenant)).length;
      expect(served('one')).toBeGreaterThanOrEqual(9);
      expect(served('one')).toBeLessThanOrEqual(11);
      expect(served('dear')).toBeGreaterThanOrEqual(9);
      expect(served('dear')).toBeLessThanOrEqual(11);
    });

    it('a job without a flow comes after those that have one', async () => {
      const { queue } = await start();
      await queue.add('live', [{ id: 'plain', payload: {} }, ...several('acme', 3)]);
      expect(await drain(queue, 4)).toEqual(['acme-0', 'acme-1', 'acme-2', 'plain']);
    });

    it('a consumer holds no more of one tenant than it may, and takes those of others meanwhile', async () => {
      const { queue, until } = await start();
      const { held, consumer, letAllGo } = hold(queue, { concurrency: 4, perTenant: 3 });
      await queue.add('live', several('mallory', 10));
      await until('three are held', () => held.size === 3);
      await queue.add('live', [ofTenant('alice', 0)]);
      await until('hers is held', () => held.has('alice-0'));
      expect([...held.keys()].filter((id) => id.startsWith('mallory'))).toHaveLength(3);
      expect(await queue.backlog('live')).toEqual({ waiting: 7, active: 4, delayed: 0 });
      held.get('mallory-0')?.();
      await until('the next one follows', () => held.has('mallory-3'));
      expect(consumer.active()).toBe(4);
      await letAllGo();
    });

    it('jobs that are added by many calls at once, while a consumer is idle, keep their turns', async () => {
      const { queue, until } = await start();
      const { held, letAllGo } = hold(queue, { concurrency: 6, perTenant: 4 });
      // It has asked, and found nothing.
      await queue.add('live', [ofTenant('before', 0)]);
      await until('it is at work', () => held.has('before-0'));
      held.get('before-0')?.();
      await until('it is idle', async () => (await queue.backlog('live')).active === 0);
      await Promise.all(several('mallory', 40).map((job) => queue.add('live', [job])));
      await until('it holds what it may', () => held.size >= 4);
      await queue.add('live', several('alice', 5));
      await until('hers are next', () => [...held.keys()].filter((id) => id.startsWith('alice')).length >= 2);
      expect([...held.keys()].filter((id) => id.startsWith('mallory'))).toHaveLength(4);
      await letAllGo();
    });

    it('what waits is found, counted and taken back, the first of a tenant too', async () => {
      const { queue } = await start();
      await queue.add('live', [...several('acme', 4), ...several('umbrella', 2)]);
      await queue.add('live', several('acme', 4));
      expect(await queue.backlog('live')).toEqual({ waiting: 6, active: 0, delayed: 0 });
      expect(await queue.missing('live', ['acme-0', 'acme-3', 'acme-4', 'umbrella-1'])).toEqual(['acme-4']);
      await queue.remove('live', 'acme-0');
      await queue.remove('live', 'acme-2');
      await queue.remove('live', 'umbrella-0');
      expect(await queue.has('live', 'acme-0')).toBe(false);
      expect(await queue.has('live', 'acme-1')).toBe(true);
      await queue.add('live', [ofTenant('acme', 0)]);
      const seen = await drain(queue, 4);
      expect(seen.filter((id) => id.startsWith('acme'))).toEqual(['acme-1', 'acme-3', 'acme-0']);
      expect(seen).toContain('umbrella-1');
    });

    it('refuses no tenant its turn for what it got before nobody waited', async () => {
      const { queue } = await start();
      await queue.add('live', several('early', 30));
      await drain(queue, 30);
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close(0)));
      await queue.add('live', several('late', 10));
      await queue.add('live', [ofTenant('early', 99)]);
      expect((await drain(queue, 11)).indexOf('early-99')).toBeLessThanOrEqual(2);
    });
  });
}
