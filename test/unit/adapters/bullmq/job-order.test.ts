import { rm } from 'node:fs/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openBullmq, type OpenQueue } from '../../../../src/adapters/bullmq/open-bullmq.js';
import { QueueConnection } from '../../../../src/adapters/bullmq/queue-connection.js';
import { defaultQueueSettings } from '../../../../src/adapters/bullmq/queue-settings.js';
import { connectForCalls } from '../../../../src/adapters/bullmq/redis/connect-redis.js';
import { parseRedisTarget } from '../../../../src/adapters/bullmq/redis/redis-target.js';
import { JobOrder, sortable } from '../../../../src/adapters/bullmq/order/job-order.js';
import { startRedisChild, type RedisChild } from '../../../../src/adapters/redis-child/redis-child.js';
import { shardJobOf } from '../../../../src/app/jobs.js';
import { queueOrder, shardPriority } from '../../../../src/domain/shard-priority.js';
import type { Consumer, Job, JobKind, RunningJob } from '../../../../src/ports/job-queue.js';
import { eventually } from '../../../support/eventually.js';
import { MemoryLog } from '../../../support/memory-log.js';
import { makeTempFolder } from '../../../support/temp-folder.js';

let folder: string;
let redis: RedisChild;
let runs = 0;

beforeAll(async () => {
  folder = await makeTempFolder();
  redis = await startRedisChild({ folder, searchPath: process.env['PATH'] ?? '' });
});
afterAll(async () => {
  await redis.close();
  await rm(folder, { recursive: true });
});

const settingsOf = (prefix: string) => ({ ...defaultQueueSettings, prefix, lockMs: 1000, stalledCheckMs: 300 });

function open(prefix = `{order-${runs++}}`): OpenQueue & { readonly prefix: string } {
  const opened = openBullmq({ redisUrl: redis.url, log: new MemoryLog(), settings: settingsOf(prefix) });
  onTestFinished(() => opened.close());
  return { ...opened, prefix };
}

function closing(consumer: Consumer): Consumer {
  onTestFinished(() => consumer.close(0));
  return consumer;
}

/** The order alone, as a consumer's process has it. */
function orderOf(prefix: string, kind: JobKind = 'shard'): JobOrder {
  const connection = new QueueConnection(
    connectForCalls(parseRedisTarget(redis.url)),
    settingsOf(prefix),
    new MemoryLog(),
  );
  onTestFinished(() => connection.close());
  return new JobOrder(connection, settingsOf(prefix), kind);
}

function bullOf(prefix: string, kind: JobKind = 'shard'): Queue {
  const { hostname, port, password } = new URL(redis.url);
  const bull = new Queue(kind, { connection: { host: hostname, port: Number(port), password }, prefix });
  onTestFinished(() => bull.close());
  return bull;
}

describe('the order that a consumer sees', () => {
  it('has new batches come before the rest of one of priority -10 with 207 shards, each by its share', async () => {
    const { queue } = open();
    const terms = { secondsLeft: 86_400, tenantBatches: 1 };
    const jobsOf = (batchId: string, priority: number, shards: number, clock: number): Job[] => {
      const order = queueOrder({ ...terms, priority, clock });
      return Array.from({ length: shards }, (_, n) => shardJobOf({ tenant: 'acme', batchId }, order, { n }));
    };
    await queue.raiseClock('shard', 0);
    await queue.add('shard', jobsOf('large', -10, 207, 0));
    const seen: string[] = [];
    let stopAt = 150;
    let goOn = (): void => undefined;
    closing(
      queue.consume('shard', { concurrency: 1 }, async ({ id }) => {
        seen.push(id);
        if (seen.length === stopAt) await new Promise<void>((resolve) => (goOn = resolve));
      }),
    );
    await eventually('150 of its shards are given out', () => seen.length === 150);
    // As shards are done in no time, the next one is moved ahead.
    const ahead = shardPriority(queueOrder({ ...terms, priority: -10, clock: 0 }), 150);
    await eventually('one is ready', async () => (await queue.clock('shard')) === ahead);
    const clock = (await queue.clock('shard')) ?? 0;
    const normal = jobsOf('normal', 0, 40, clock);
    const urgent = jobsOf('urgent', 10, 60, clock);
    expect(new Set([...normal, ...urgent].map(({ priority }) => priority)).size).toBe(100);
    await queue.add('shard', normal);
    await queue.add('shard', urgent);
    stopAt = -1;
    goOn();
    await eventually('all are done', async () => {
      const { waiting, active } = await queue.backlog('shard');
      return waiting + active === 0;
    });
    const behind = seen.slice(151).map((id) => id.split('-')[1]);
    expect(behind.slice(0, 60)).toEqual(Array.from({ length: 60 }, () => 'urgent'));
    expect(behind.slice(60, 100)).toEqual(Array.from({ length: 40 }, () => 'normal'));
    expect(behind.slice(100)).toEqual(Array.from({ length: 56 }, () => 'large'));
    const own = seen.filter((id) => id.startsWith('s-large-'));
    expect(own).toEqual(Array.from({ length: 207 }, (_, n) => `s-large-${n}`));
  });

  it('gives BullMQ no more than is about to be done', async () => {
    const { queue, prefix } = open();
    const jobs = Array.from({ length: 50 }, (_, n) => ({ id: `s-${n}`, payload: {}, priority: n }));
    await queue.add('shard', jobs);
    expect(await bullOf(prefix).getJobCountByTypes('wait', 'prioritized', 'active')).toBe(0);
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const consumer = closing(queue.consume('shard', { concurrency: 3 }, () => held));
    await eventually('three are active', () => consumer.active() === 3);
    expect(await bullOf(prefix).getJobCountByTypes('wait', 'prioritized', 'active')).toBe(3);
    expect(await queue.backlog('shard')).toEqual({ waiting: 47, active: 3, delayed: 0 });
    letGo();
  });

  it('lets what an earlier version has put into BullMQ go first', async () => {
    const { queue, prefix } = open();
    const seen: string[] = [];
    await bullOf(prefix).addBulk(
      [5, 4].map((priority) => ({
        name: 'shard',
        data: {},
        opts: { jobId: `old-${priority}`, priority, removeOnComplete: true },
      })),
    );
    await queue.add('shard', [{ id: 'new', payload: {}, priority: 1 }]);
    expect(await queue.backlog('shard')).toEqual({ waiting: 3, active: 0, delayed: 0 });
    closing(
      queue.consume('shard', { concurrency: 1 }, ({ id }) => {
        seen.push(id);
        return Promise.resolve();
      }),
    );
    await eventually('all are done', () => seen.length === 3);
    expect(seen).toEqual(['old-4', 'old-5', 'new']);
  });

  it('is one for several processes: each shard is given out once', async () => {
    const one = open();
    const others = [open(one.prefix), open(one.prefix)];
    const times = new Map<string, number>();
    for (const { queue } of [one, ...others])
      closing(
        queue.consume('shard', { concurrency: 4 }, async ({ id }) => {
          times.set(id, (times.get(id) ?? 0) + 1);
          await Promise.resolve();
        }),
      );
    const jobs = Array.from({ length: 600 }, (_, n) => ({ id: `s-${n}`, payload: {}, priority: n }));
    await Promise.all([one.queue.add('shard', jobs), others[0]?.queue.add('shard', jobs)]);
    await eventually('all are done', async () => times.size === 600 && (await one.queue.backlog('shard')).active === 0);
    expect([...times.values()].filter((count) => count !== 1)).toEqual([]);
    expect(await one.queue.backlog('shard')).toEqual({ waiting: 0, active: 0, delayed: 0 });
  });

  it('comes to a consumer that has nothing to do without being asked for, and to no other', async () => {
    const { queue, prefix } = open();
    const bull = bullOf(prefix);
    await queue.add('shard', [{ id: 's-0', payload: {}, priority: 0 }]);
    expect(await bull.getWaitingCount()).toBe(0);
    // A consumer that can do two more and finds one counts as idle for a while.
    const idle = orderOf(prefix);
    const taken = await idle.take({ free: 2, expected: 0, idleMs: 60_000, perTenant: 0, held: new Map() });
    expect(taken.map(({ id }) => id)).toEqual(['s-0']);
    await idle.confirm(taken);
    await queue.add('shard', [
      { id: 's-2', payload: {}, priority: 2 },
      { id: 's-1', payload: {}, priority: 1 },
      { id: 's-3', payload: {}, priority: 3 },
    ]);
    expect((await bull.getWaiting()).map(({ id }) => id)).toContain('s-1');
    expect(await queue.front('shard')).toBe(3);
    expect(await queue.backlog('shard')).toEqual({ waiting: 3, active: 0, delayed: 0 });
  });
});

describe('the jobs of one tenant that a consumer gets', () => {
  const jobOf = (n: number): Job => ({
    id: `p-${n}`,
    payload: { tenant: 'acme' },
    flow: { tenant: 'acme', cost: 1, weight: 1 },
  });
  const held = (active: number, expected: number) => new Map([['acme', { active, expected }]]);
  const need = { free: 8, idleMs: 0, perTenant: 3 };

  it('are counted once, whether they are expected, wait in BullMQ or both', async () => {
    const { queue, prefix } = open();
    const order = orderOf(prefix, 'plan');
    await queue.add('plan', [0, 1, 2, 3, 4].map(jobOf));
    expect(await order.take({ ...need, expected: 0, held: held(1, 1) })).toHaveLength(1);
    await bullOf(prefix, 'plan').add('plan', { tenant: 'acme' }, { jobId: 'p-0' });
    // One is done, one is expected, and it is the one that waits.
    const second = await order.take({ ...need, expected: 1, held: held(1, 1) });
    expect(second).toHaveLength(1);
    // It is not expected: somebody else has moved it.
    expect(await order.take({ ...need, expected: 0, held: held(2, 0) })).toHaveLength(0);
    // The second is on its way to BullMQ, and may come to this consumer too.
    expect(await order.take({ ...need, expected: 0, held: held(1, 0) })).toHaveLength(0);
    await order.confirm(second);
    expect(await order.take({ ...need, expected: 0, held: held(1, 0) })).toHaveLength(1);
  });

  it('is not what a consumer with nothing to do is woken with, when it has enough of the tenant', async () => {
    const { queue, prefix } = open();
    const order = orderOf(prefix, 'plan');
    expect(await order.take({ ...need, expected: 0, idleMs: 60_000, held: held(3, 0) })).toHaveLength(0);
    await queue.add('plan', [jobOf(0)]);
    expect(await bullOf(prefix, 'plan').getWaitingCount()).toBe(0);
    await queue.add('plan', [
      { id: 'other', payload: { tenant: 'umbrella' }, flow: { tenant: 'umbrella', cost: 1, weight: 1 } },
    ]);
    expect((await bullOf(prefix, 'plan').getWaiting()).map(({ id }) => id)).toEqual(['other']);
  });
});

describe('a consumer that dies', () => {
  it('between taking a shard and giving it to BullMQ: another gets it when the claim has ended', async () => {
    const { queue, prefix } = open();
    await queue.add('shard', [
      { id: 'a', payload: { n: 1 }, priority: 1 },
      { id: 'b', payload: {}, priority: 2 },
    ]);
    expect(
      (await orderOf(prefix).take({ free: 1, expected: 0, idleMs: 0, perTenant: 0, held: new Map() })).map(
        ({ id }) => id,
      ),
    ).toEqual(['a']);
    expect(await queue.backlog('shard')).toEqual({ waiting: 2, active: 0, delayed: 0 });
    expect(await queue.missing('shard', ['a', 'b'])).toEqual([]);
    // Added again by the janitor: nothing to do.
    await queue.add('shard', [{ id: 'a', payload: {}, priority: 1 }]);
    const seen: RunningJob[] = [];
    closing(
      queue.consume('shard', { concurrency: 1 }, (job) => {
        seen.push(job);
        return Promise.resolve();
      }),
    );
    await eventually('both are done', () => seen.length === 2);
    expect(seen).toMatchObject([{ id: 'b' }, { id: 'a', payload: { n: 1 } }]);
    await eventually('nothing is left', async () => (await queue.missing('shard', ['a', 'b'])).length === 2);
  });

  it('before it said that BullMQ has a shard: it is not given out a second time while it runs', async () => {
    const { queue, prefix } = open();
    await queue.add('shard', [{ id: 'a', payload: {}, priority: 1 }]);
    const [taken] = await orderOf(prefix).take({ free: 1, expected: 0, idleMs: 0, perTenant: 0, held: new Map() });
    await bullOf(prefix).add('shard', taken?.payload, { jobId: 'a', removeOnComplete: true });
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    let starts = 0;
    closing(
      queue.consume('shard', { concurrency: 2 }, async () => {
        starts++;
        await held;
      }),
    );
    await eventually('it runs', () => starts === 1);
    expect(await queue.backlog('shard')).toEqual({ waiting: 0, active: 1, delayed: 0 });
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    await eventually('the claim has ended', async () => (await client.hlen(`${prefix}:shard-order:claims`)) === 0);
    await eventually('it is BullMQ’s alone', async () => (await client.hlen(`${prefix}:shard-order:jobs`)) === 0);
    letGo();
    await eventually('nothing is left', async () => (await queue.backlog('shard')).active === 0);
    expect(starts).toBe(1);
  });
});

it('takes well below half a kilobyte for a shard that waits', async () => {
  const { queue } = open();
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  const memory = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
  const before = await memory();
  const order = queueOrder({ priority: 3, secondsLeft: 7777, tenantBatches: 3, clock: 123_456.789 });
  const batch = { tenant: 'dev', batchId: 'batch_01jd0000000000000000000000' };
  await queue.add(
    'shard',
    Array.from({ length: 20_000 }, (_, n) => shardJobOf(batch, order, { n })),
  );
  const each = ((await memory()) - before) / 20_000;
  expect(each).toBeLessThan(450);
});

it('writes numbers as text that sorts as they do', () => {
  const numbers = [-Infinity, -1e300, -2, -1.5, -1e-300, 0, 1e-300, 0.25, 1, 1.5, 2, 1e300, Infinity];
  const texts = numbers.map(sortable);
  expect(texts.toSorted()).toEqual(texts);
  expect(new Set(texts).size).toBe(numbers.length);
  expect(sortable(-0)).toBe(sortable(0));
  expect(texts.every((text) => /^[0-9a-f]{16}$/.test(text))).toBe(true);
});
