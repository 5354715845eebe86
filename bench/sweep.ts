import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { startRedisChild } from '../src/adapters/redis-child/redis-child.js';
import { shardJobId } from '../src/app/jobs.js';
import { queueShards } from '../src/app/plan-batch.js';
import { mostGoal, type Goal } from './goals.js';
import { makeBatch, makeParts, type MadeBatch } from './system/sweep-batches.js';
import type { SweepControlOptions, SweepFigures, SweepRequest } from './system/sweep-control.js';
import { openSweepWorld, type SweepWorld } from './system/sweep-world.js';

export interface SweepOptions {
  /** Open batches, and shards of each. */
  readonly batches: number;
  readonly shards: number;
  /** Of every call of the store, ms. */
  readonly latency: number;
  /** Seconds for which nothing changes. */
  readonly quiet: number;
  /** Jobs that are taken out of Redis by hand. */
  readonly lost: number;
  /** Sweeps over which memory is looked at. */
  readonly sweeps: number;
  /** Parts of the batch that is finished. */
  readonly parts: number;
}

export interface BenchSweepFigures {
  readonly batches: number;
  readonly shards: number;
  readonly first_sweep_s: number;
  /** Baseline: the reads of one look at each batch, one after the other. */
  readonly sequential_sweep_s: number;
  /** The longest sweep of the quiet time. */
  readonly quiet_sweep_s: number;
  readonly redis_commands_per_s: number;
  readonly store_calls_per_s: number;
  readonly sweeps_by_process: readonly number[];
  readonly queued_again: number;
  readonly lost_jobs: number;
  readonly lost_jobs_queued: number;
  readonly lost_jobs_back_s: number;
  readonly heap_mib: readonly number[];
  readonly rss_mib: readonly number[];
  readonly finish_parts: number;
  readonly finish_s: number;
  /** Baseline: each part read once, one after the other. */
  readonly sequential_finish_s: number;
  readonly goals: readonly Goal[];
}

const sweepMs = 5000;
/** Reads of one look at a batch that runs: submit, plan, manifest, cancel, parts. */
const readsPerLook = 5;
const rounded = (value: number): number => Number(value.toFixed(2));
const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** A process that sweeps. */
class Control {
  readonly #child: ChildProcess;

  constructor(options: SweepControlOptions) {
    const program = fileURLToPath(new URL('./system/sweep-control.js', import.meta.url));
    this.#child = fork(program, [JSON.stringify(options)], { execArgv: ['--expose-gc'] });
  }

  async ask<T>(request: SweepRequest): Promise<T> {
    this.#child.send(request);
    const [{ value, error }] = (await once(this.#child, 'message')) as [{ value?: T; error?: string }];
    if (error !== undefined) throw new Error(error);
    return value as T;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.send({ ask: 'end' } satisfies SweepRequest);
    await once(this.#child, 'exit');
  }
}

interface Counts {
  readonly commands: number;
  readonly figures: readonly SweepFigures[];
  readonly ms: number;
}

async function count(redis: Redis, controls: readonly Control[]): Promise<Counts> {
  const figures: SweepFigures[] = [];
  for (const control of controls) figures.push(await control.ask({ ask: 'figures' }));
  const commands = Number(/^total_commands_processed:(\d+)/m.exec(await redis.info('stats'))?.[1] ?? Number.NaN);
  return { commands, figures, ms: performance.now() };
}

const total = (figures: readonly SweepFigures[], of: (figures: SweepFigures) => number): number =>
  figures.reduce((sum, each) => sum + of(each), 0);

/** The process that holds the lease, once it has swept for the first time. */
async function firstSweep(controls: readonly Control[]): Promise<Control> {
  for (;;) {
    for (const control of controls)
      if ((await control.ask<SweepFigures>({ ask: 'figures' })).sweepsMs.length > 0) return control;
    await sleep(100);
  }
}

/** Takes jobs out of the queue, from some batches several, and waits until all are back. */
async function loseJobs(
  world: SweepWorld,
  batches: readonly MadeBatch[],
  most: number,
): Promise<{ lost: number; ms: number }> {
  const perBatch = Math.max(1, Math.ceil((most * 10) / batches.length));
  const ids = batches.flatMap((batch) =>
    batch.plan.shards.slice(-1 - perBatch, -1).map(({ n }) => shardJobId(batch, n)),
  );
  const lost = ids.slice(0, most);
  for (const id of lost) await world.queue.remove('shard', id);
  const started = performance.now();
  while ((await world.queue.missing('shard', lost)).length > 0) await sleep(1000);
  return { lost: lost.length, ms: performance.now() - started };
}

/**
 * What it costs two `control` processes to keep many open batches that nobody works on: sweeps through a store with a latency and
 * a real Redis that holds a job for each shard. Then a batch of many parts is finished.
 */
export async function benchSweep(options: SweepOptions): Promise<BenchSweepFigures> {
  const home = await mkdtemp(path.join(tmpdir(), 'eyrie-sweep-'));
  const folder = path.join(home, 'store');
  await mkdir(folder);
  const server = await startRedisChild({ folder: path.join(home, 'redis'), searchPath: process.env['PATH'] ?? '' });
  const redis = new Redis(server.url);
  const world = await openSweepWorld({ folder, redisUrl: server.url, latencyMs: 0 });
  const controls: Control[] = [];
  try {
    note(`making ${options.batches} batches of ${options.shards} shards, each with its job in Redis`);
    const batches: MadeBatch[] = [];
    for (let n = 0; n < options.batches; n++) {
      const batch = await makeBatch(folder, n, options.shards);
      await queueShards(world, batch, batch.plan, new Map());
      batches.push(batch);
    }
    note('the first sweep');
    for (let n = 0; n < 2; n++)
      controls.push(new Control({ folder, redisUrl: server.url, latencyMs: options.latency, sweepMs }));
    const holder = await firstSweep(controls);

    note(`nothing happens for ${options.quiet} s`);
    const before = await count(redis, controls);
    const firstMs = before.figures.flatMap(({ sweepsMs }) => sweepsMs)[0] ?? Number.NaN;
    await sleep(options.quiet * 1000);
    const after = await count(redis, controls);
    const seconds = (after.ms - before.ms) / 1000;
    const quietMs = after.figures.flatMap(({ sweepsMs }, n) => sweepsMs.slice(before.figures[n]?.sweepsMs.length));

    note(`${options.lost} jobs are taken out of Redis`);
    const { lost, ms: backMs } = await loseJobs(world, batches, options.lost);
    const restored = await count(redis, controls);

    note(`${options.sweeps} sweeps with every batch due`);
    const heap: number[] = [];
    const rss: number[] = [];
    for (const sweeps of [1, Math.ceil(options.sweeps / 2), Math.ceil(options.sweeps / 2)]) {
      await holder.ask({ ask: 'sweeps', count: sweeps });
      const { heapMib, rssMib } = await holder.ask<SweepFigures>({ ask: 'figures' });
      heap.push(rounded(heapMib));
      rss.push(rounded(rssMib));
    }

    note(`a batch of ${options.parts} parts is finished`);
    const large = await makeBatch(folder, options.batches, options.parts);
    await makeParts(folder, large);
    const { tenant, batchId } = large;
    const finishMs = await holder.ask<number>({ ask: 'finish', batch: { tenant, batchId } });

    const queuedAgain = total(after.figures, ({ jobsAdded }) => jobsAdded);
    const lostQueued = total(restored.figures, ({ jobsAdded }) => jobsAdded) - queuedAgain;
    const commandsPerSecond = (after.commands - before.commands) / seconds;
    const quietSeconds = Math.max(0, ...quietMs) / 1000;
    const latencySeconds = options.latency / 1000;
    return {
      batches: options.batches,
      shards: options.shards,
      first_sweep_s: rounded(firstMs / 1000),
      sequential_sweep_s: rounded(options.batches * readsPerLook * latencySeconds),
      quiet_sweep_s: rounded(quietSeconds),
      redis_commands_per_s: rounded(commandsPerSecond),
      store_calls_per_s: rounded(
        (total(after.figures, ({ storeCalls }) => storeCalls) - total(before.figures, ({ storeCalls }) => storeCalls)) /
          seconds,
      ),
      sweeps_by_process: after.figures.map(({ sweepsMs }) => sweepsMs.length),
      queued_again: queuedAgain,
      lost_jobs: lost,
      lost_jobs_queued: lostQueued,
      lost_jobs_back_s: rounded(backMs / 1000),
      heap_mib: heap,
      rss_mib: rss,
      finish_parts: options.parts,
      finish_s: rounded(finishMs / 1000),
      sequential_finish_s: rounded(options.parts * latencySeconds),
      goals: [
        mostGoal('first sweep, s', 10, firstMs / 1000),
        mostGoal('sweep while nothing happens, s', 10, quietSeconds),
        mostGoal('Redis commands a second while nothing happens', 100, commandsPerSecond),
        mostGoal('jobs queued again for nothing', 0, queuedAgain + Math.abs(lostQueued - lost)),
        mostGoal('growth of the heap over the sweeps, MiB', 5, (heap.at(-1) ?? 0) - (heap[0] ?? 0)),
        mostGoal(`finish of ${options.parts} parts, s`, 30, finishMs / 1000),
      ],
    };
  } finally {
    await Promise.all(controls.map((control) => control.end()));
    await world.close();
    redis.disconnect();
    await server.close();
    await rm(home, { recursive: true, force: true });
  }
}
