import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { eventually } from '../support/eventually.js';
import { MemoryLog } from '../support/memory-log.js';

export const failoverSettings = {
  lockMs: 2000,
  stalledCheckMs: 500,
  connectWaitMs: 500,
  callTimeoutMs: 2000,
  commandRetryMs: 200,
  livePresenceTtlMs: 2000,
};
/** A failover in these tests takes 2 to 10 seconds. */
export const failoverMs = 60_000;

const succeeds = (step: Promise<unknown>): Promise<boolean> =>
  step.then(
    () => true,
    () => false,
  );

/** Work goes on by itself after its master was lost amid it: what was queued is done, and so is what is queued later. */
export async function surviveLostMaster(redisUrl: string, loseMaster: () => Promise<void>): Promise<void> {
  const log = new MemoryLog();
  const { queue, progress, live, shared, close } = openBullmq({ redisUrl, log, settings: failoverSettings });
  const other = openBullmq({ redisUrl, log: new MemoryLog(), settings: failoverSettings });
  onTestFinished(() => Promise.all([close(), other.close()]).then(() => undefined));

  const done = new Set<string>();
  const jobs = Array.from({ length: 200 }, (_, i) => ({
    id: `s-batch_1-${i}`,
    payload: { shard: i },
    priority: i + 1,
  }));
  await queue.add('shard', jobs);
  const busy = queue.consume('shard', { concurrency: 4 }, async ({ id }) => {
    await sleep(10);
    done.add(id);
  });
  const idle = queue.consume('plan', { concurrency: 1 }, ({ id }) => {
    done.add(id);
    return Promise.resolve();
  });
  const watcher = other.queue.watchStalled('shard');
  onTestFinished(() => Promise.all([busy, idle, watcher].map((consumer) => consumer.close(0))).then(() => undefined));
  const lost: unknown[] = [];
  await live.listen('call_1', { onMessage: () => undefined, onLost: (error) => lost.push(error) });
  expect(await other.live.send('call_1', 'before')).toBe(1);
  await eventually('work is going on', () => done.size > 20);

  await loseMaster();

  await eventually('calls work again', () => succeeds(queue.add('plan', [{ id: 'plan-1', payload: {} }])), failoverMs);
  // The replica may lack what the master took last: as the janitor does, what is missing is queued again.
  await eventually(
    'the idle consumer takes a job again',
    async () => {
      if (!done.has('plan-1')) await succeeds(queue.add('plan', [{ id: 'plan-1', payload: {} }]));
      return done.has('plan-1');
    },
    failoverMs,
  );
  await eventually(
    'all shards are done',
    async () => {
      const open = jobs.filter(({ id }) => !done.has(id));
      const ids = open.map(({ id }) => id);
      const missing = new Set(await queue.missing('shard', ids).catch((): string[] => []));
      await succeeds(
        queue.add(
          'shard',
          open.filter(({ id }) => missing.has(id)),
        ),
      );
      return open.length === 0;
    },
    failoverMs,
  );

  const heard: string[] = [];
  await eventually(
    'somebody listens again',
    () =>
      succeeds(live.listen('call_2', { onMessage: (text) => heard.push(text), onLost: (error) => lost.push(error) })),
    failoverMs,
  );
  const sent = Array.from({ length: 50 }, (_, n) => `message ${n}`);
  await eventually(
    'it can be sent to',
    () =>
      other.live.send('call_2', 'first').then(
        (told) => told === 1,
        () => false,
      ),
    failoverMs,
  );
  for (const text of sent) expect(await other.live.send('call_2', text)).toBe(1);
  await eventually('all have come, in order', () => heard.length > sent.length);
  expect(heard.slice(-sent.length)).toEqual(sent);

  expect(await progress.record('batch_1', 0, { completed: 1, failed: 0, inputTokens: 1, outputTokens: 1 })).toBe(1);
  expect(await shared.lease('sweep', 1000)).toBe(true);
  expect(await other.shared.lease('sweep', 1000)).toBe(false);
  await queue.add('shard', [{ id: 'later', payload: {} }]);
  await eventually('what is queued later is done', () => done.has('later'));
}
