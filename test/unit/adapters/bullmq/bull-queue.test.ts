import { rm } from 'node:fs/promises';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openBullmq, type OpenQueue } from '../../../../src/adapters/bullmq/open-bullmq.js';
import type { QueueSettings } from '../../../../src/adapters/bullmq/queue-settings.js';
import { startRedisChild, type RedisChild } from '../../../../src/adapters/redis-child/redis-child.js';
import { EyrieError } from '../../../../src/domain/errors.js';
import type { Consumer } from '../../../../src/ports/job-queue.js';
import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../support/loopback-server.js';
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

interface Opened extends OpenQueue {
  readonly log: MemoryLog;
  readonly prefix: string;
  readonly client: Redis;
  close(): Promise<void>;
}

function open(settings: Partial<QueueSettings> = {}, redisUrl = redis.url): Opened {
  const prefix = `{unit-${runs++}}`;
  const log = new MemoryLog();
  const opened = openBullmq({ redisUrl, log, settings: { prefix, lockMs: 1000, stalledCheckMs: 300, ...settings } });
  const client = new Redis(redisUrl, { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  onTestFinished(async () => {
    client.disconnect();
    await opened.close();
  });
  return { ...opened, log, prefix, client };
}

function closing(consumer: Consumer): Consumer {
  onTestFinished(() => consumer.close(0));
  return consumer;
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')));
  });

describe('without Redis', () => {
  it('fails every call within seconds, and says nothing is lost', async () => {
    const url = `redis://:SECRET@127.0.0.1:${await freePort()}`;
    const { queue, progress, log } = open({ connectWaitMs: 200 }, url);
    const start = performance.now();
    const away = expect.objectContaining({
      code: 'queue_unavailable',
      message: expect.stringContaining('Nothing that was accepted is lost') as string,
    });
    await expect(queue.add('plan', [{ id: 'plan-1', payload: {} }])).rejects.toEqual(away);
    await expect(queue.has('plan', 'plan-1')).rejects.toEqual(away);
    await expect(queue.backlog('plan')).rejects.toEqual(away);
    await expect(
      progress.record('batch_a', 0, { completed: 1, failed: 0, inputTokens: 1, outputTokens: 1 }),
    ).rejects.toEqual(away);
    await expect(progress.meanSpeed()).rejects.toEqual(away);
    expect(performance.now() - start).toBeLessThan(3000);
    // One line for the outage, not one for each retry.
    expect(log.of('queue.connection_error').length).toBe(1);
    expect(JSON.stringify(log.entries)).not.toContain('SECRET');
  });

  it('closes a consumer and a watcher that never had a connection', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const { queue } = open({ closeTimeoutMs: 200 }, url);
    const consumer = queue.consume('shard', { concurrency: 1 }, () => Promise.resolve());
    const watcher = queue.watchStalled('shard');
    await Promise.all([consumer.close(100), watcher.close(0)]);
    expect(consumer.active()).toBe(0);
  });
});

describe('what reaches Redis', () => {
  it('holds pointers and codes, and no text of an error', async () => {
    const { queue, client, prefix } = open({ retryDelayMs: 60_000 });
    let tries = 0;
    closing(
      queue.consume('shard', { concurrency: 1 }, () => {
        tries++;
        return Promise.reject(new EyrieError('store_unavailable', 'PROMPT TEXT', { cause: new Error('PROMPT TEXT') }));
      }),
    );
    await queue.add('shard', [{ id: 's-1', payload: { batchId: 'batch_1', shard: 0 }, priority: 1 }]);
    await eventually(
      'it waits for its second try',
      async () => tries === 1 && (await queue.backlog('shard')).delayed === 1,
    );
    const job = await client.hgetall(`${prefix}:shard:s-1`);
    expect(job).toMatchObject({
      data: '{"batchId":"batch_1","shard":0}',
      failedReason: 'store_unavailable',
      stacktrace: '[]',
    });
    const events = await client.xrange(`${prefix}:shard:events`, '-', '+');
    expect(JSON.stringify([job, events])).not.toContain('PROMPT');
  });

  it.each([
    [{ id: '123', payload: {} }, 'id'],
    [{ id: 'a:b', payload: {} }, 'id'],
    [{ id: '', payload: {} }, 'id'],
    [{ id: 'a', payload: {}, priority: -1 }, 'priority'],
    [{ id: 'a', payload: {}, priority: Number.NaN }, 'priority'],
    [{ id: 'a', payload: {}, priority: Infinity }, 'priority'],
    [{ id: 'a', payload: { prompt: 'x'.repeat(3000) } }, 'payload'],
  ])('refuses %j', async (job, param) => {
    await expect(open().queue.add('plan', [job])).rejects.toMatchObject({ code: 'invalid_value', param });
  });
});

describe('a consumer', () => {
  it('aborts a job whose lock was lost, and does not end it', async () => {
    const { queue, client, prefix, log } = open();
    const reasons: unknown[] = [];
    let starts = 0;
    closing(
      queue.consume('shard', { concurrency: 1 }, async (job, signal) => {
        if (starts++ > 0) return;
        await untilAborted(signal).catch(() => reasons.push(signal.reason));
        // A handler may end well all the same: the job is another's now.
        expect(job.id).toBe('s-1');
      }),
    );
    await queue.add('shard', [{ id: 's-1', payload: {} }]);
    await eventually('it is held', () => starts === 1);
    await client.del(`${prefix}:shard:s-1:lock`);
    await eventually('the signal aborts', () => reasons.length === 1);
    expect(reasons).toEqual(['lease_lost']);
    expect(log.of('job.lease_lost')[0]?.fields).toMatchObject({ kind: 'shard', job: 's-1' });
    await eventually('the stalled check gives it out again', () => starts === 2);
    await eventually('it is done', async () => !(await queue.has('shard', 's-1')));
  });

  it('keeps the lock of a job that takes long', async () => {
    const { queue } = open({ lockMs: 400, stalledCheckMs: 100 });
    let starts = 0;
    closing(
      queue.consume('shard', { concurrency: 1 }, async () => {
        starts++;
        await new Promise((resolve) => setTimeout(resolve, 1500));
      }),
    );
    await queue.add('shard', [{ id: 's-1', payload: {} }]);
    await eventually('it is done', async () => starts > 0 && !(await queue.has('shard', 's-1')));
    expect(starts).toBe(1);
  });

  it('is made anew when jobs wait and it takes none, and keeps what it holds', async () => {
    const { queue, prefix, log } = open({ watchdogMs: 400 });
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const done: string[] = [];
    const consumer = closing(
      queue.consume('shard', { concurrency: 2 }, async ({ id }) => {
        if (id === 'held') await held;
        done.push(id);
      }),
    );
    await queue.add('shard', [{ id: 'held', payload: {} }]);
    await eventually('one is held', () => consumer.active() === 1);
    // A queue that is paused gives nothing out: to the consumer that looks like a worker that fell silent.
    const bull = new Queue('shard', { connection: { ...connectionOf(redis.url) }, prefix });
    onTestFinished(() => bull.close());
    await bull.pause();
    await queue.add('shard', [{ id: 'next', payload: {} }]);
    await eventually('the worker is replaced', () => log.of('queue.worker_replaced').length > 0);
    expect(log.of('queue.worker_replaced')[0]?.fields).toMatchObject({ kind: 'shard', waiting: 1, active: 1 });
    await bull.resume();
    await eventually('the other job is done', () => done.includes('next'));
    letGo();
    await eventually('nothing is left', async () => (await queue.backlog('shard')).active === 0);
    expect(done).toEqual(['next', 'held']);
  });

  it('goes on with a new worker when the old one cannot be closed', async () => {
    const { queue, prefix, log } = open({ watchdogMs: 400 });
    const close = vi.spyOn(Worker.prototype, 'close').mockRejectedValueOnce(new Error('stuck'));
    onTestFinished(() => close.mockRestore());
    const done: string[] = [];
    closing(
      queue.consume('shard', { concurrency: 1 }, ({ id }) => {
        done.push(id);
        return Promise.resolve();
      }),
    );
    const bull = new Queue('shard', { connection: { ...connectionOf(redis.url) }, prefix });
    onTestFinished(() => bull.close());
    await bull.pause();
    await queue.add('shard', [{ id: 'next', payload: {} }]);
    await eventually('the worker is replaced', () => log.of('queue.retire_failed').length > 0);
    expect(log.of('queue.retire_failed').map(({ fields }) => fields)).toEqual([{ kind: 'shard', reason: 'stuck' }]);
    await bull.resume();
    await eventually('the job is done', () => done.length > 0);
    expect(done).toEqual(['next']);
  });

  it('tells of a stalled job once, whoever else looks for such jobs', async () => {
    const { queue, client, prefix, log } = open();
    let starts = 0;
    const handler = async (_job: unknown, signal: AbortSignal): Promise<void> => {
      if (starts++ === 0) await untilAborted(signal).catch(() => undefined);
    };
    const consumers = [1, 2].map(() => closing(queue.consume('shard', { concurrency: 1 }, handler)));
    await queue.add('shard', [{ id: 's-1', payload: {} }]);
    await eventually('it is held', () => consumers.some((consumer) => consumer.active() === 1));
    closing(queue.watchStalled('shard'));
    await client.del(`${prefix}:shard:s-1:lock`);
    await eventually('it is given out again', () => starts === 2);
    await eventually('it is done', async () => !(await queue.has('shard', 's-1')));
    expect(log.of('job.stalled').map(({ fields }) => fields)).toEqual([{ kind: 'shard', job: 's-1' }]);
  });

  it('tells of a stalled job without a watcher', async () => {
    const { queue, client, prefix, log } = open();
    let starts = 0;
    closing(
      queue.consume('shard', { concurrency: 1 }, async (_job, signal) => {
        if (starts++ === 0) await untilAborted(signal).catch(() => undefined);
      }),
    );
    await queue.add('shard', [{ id: 's-1', payload: {} }]);
    await eventually('it is held', () => starts === 1);
    await client.del(`${prefix}:shard:s-1:lock`);
    await eventually('it is given out again', () => starts === 2);
    expect(log.of('job.stalled').length).toBe(1);
  });

  it('logs a job that it gives up with its error, and one that it tries again without', async () => {
    const { queue, log } = open({ attemptsMax: 2, retryDelayMs: 10 });
    const failure = new EyrieError('store_unavailable', 'away');
    closing(queue.consume('finish', { concurrency: 1 }, () => Promise.reject(failure)));
    await queue.add('finish', [{ id: 'fin-1', payload: {} }]);
    await eventually('it is given up', () => log.of('job.gave_up').length === 1);
    expect(log.of('job.will_retry').map(({ fields }) => fields)).toEqual([
      { kind: 'finish', job: 'fin-1', code: 'store_unavailable', attempt: 0 },
    ]);
    expect(log.of('job.gave_up')[0]).toMatchObject({ fields: { job: 'fin-1', attempt: 1 }, cause: failure });
  });
});

function connectionOf(url: string): { host: string; port: number; password: string } {
  const { hostname, port, password } = new URL(url);
  return { host: hostname, port: Number(port), password };
}
