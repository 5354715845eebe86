import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openBullmq } from '../../../../src/adapters/bullmq/open-bullmq.js';
import { findServer } from '../../../../src/adapters/redis-child/find-server.js';
import { askServer } from '../../../../src/adapters/redis-child/loopback.js';
import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../support/loopback-server.js';
import { MemoryLog } from '../../../support/memory-log.js';
import { tempFolder } from '../../../support/temp-folder.js';

const password = 'outage';

/** A server that comes back on its port and with its data. */
class MortalRedis {
  readonly #program: string;
  readonly #folder: string;
  readonly #port: number;
  #server: ChildProcess | null = null;

  constructor(program: string, folder: string, port: number) {
    this.#program = program;
    this.#folder = folder;
    this.#port = port;
  }

  async start(): Promise<string> {
    const settings = {
      port: this.#port,
      bind: '127.0.0.1',
      dir: this.#folder,
      requirepass: password,
      appendonly: 'yes',
      save: '',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#server = spawn(this.#program, args, { stdio: 'ignore' });
    await eventually('Redis answers', async () => (await askServer({ port: this.#port, password })) === 'ready');
    return `redis://:${password}@127.0.0.1:${this.#port}`;
  }

  async kill(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
    this.#server = null;
  }
}

it('goes on after Redis was killed amid work: no job is lost, and calls work again', async () => {
  const mortal = new MortalRedis(await findServer(process.env['PATH'] ?? ''), await tempFolder(), await freePort());
  onTestFinished(() => mortal.kill());
  const redisUrl = await mortal.start();
  const settings = { lockMs: 1500, stalledCheckMs: 500, connectWaitMs: 300, commandRetryMs: 200 };
  const { queue, progress, close } = openBullmq({ redisUrl, log: new MemoryLog(), settings });
  onTestFinished(close);

  const done = new Set<string>();
  const ids = Array.from({ length: 200 }, (_, i) => `s-batch_1-${i}`);
  await queue.add(
    'shard',
    ids.map((id, i) => ({ id, payload: { shard: i }, priority: i + 1 })),
  );
  const busy = queue.consume('shard', { concurrency: 4 }, async ({ id }) => {
    await sleep(10);
    done.add(id);
  });
  const idle = queue.consume('plan', { concurrency: 1 }, ({ id }) => {
    done.add(id);
    return Promise.resolve();
  });
  onTestFinished(() => Promise.all([busy.close(0), idle.close(0)]).then(() => undefined));
  await eventually('work is going on', () => done.size > 20);

  await mortal.kill();
  await expect(queue.backlog('shard')).rejects.toMatchObject({ code: 'queue_unavailable' });
  await expect(
    progress.record('batch_1', 0, { completed: 1, failed: 0, inputTokens: 1, outputTokens: 1 }),
  ).rejects.toMatchObject({
    code: 'queue_unavailable',
  });
  await sleep(700);
  await mortal.start();

  await eventually('calls work again', () =>
    queue.add('plan', [{ id: 'plan-1', payload: {} }]).then(
      () => true,
      () => false,
    ),
  );
  await eventually('the idle consumer takes a job again', () => done.has('plan-1'));
  await eventually('all shards are done', () => ids.every((id) => done.has(id)));
  await eventually('nothing is left', async () => {
    const { waiting, active, delayed } = await queue.backlog('shard');
    return waiting + active + delayed === 0;
  });
});
