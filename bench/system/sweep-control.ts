import { finishBatch } from '../../src/app/finish-batch.js';
import { Janitor } from '../../src/app/reconcile.js';
import { repeat } from '../../src/app/repeat.js';
import { Lease } from '../../src/app/sweep/lease.js';
import type { BatchJob } from '../../src/contract/queue-payload.js';
import { bounds } from '../../src/domain/bounds.js';
import { openSweepWorld, type SweepWorldOptions } from './sweep-world.js';

/** The sweeps of a `control` in a process of their own. Answers each request of its parent with one message. */

export interface SweepControlOptions extends SweepWorldOptions {
  readonly sweepMs: number;
}

export type SweepRequest =
  | { readonly ask: 'figures' }
  /** Sweeps in which every batch is due, one after the other. */
  | { readonly ask: 'sweeps'; readonly count: number }
  | { readonly ask: 'finish'; readonly batch: BatchJob }
  | { readonly ask: 'end' };

export interface SweepFigures {
  readonly storeCalls: number;
  readonly jobsAdded: number;
  /** How long each sweep took that was made here, ms. */
  readonly sweepsMs: readonly number[];
  /** After a collection of garbage. */
  readonly heapMib: number;
  readonly rssMib: number;
}

const mib = (bytes: number): number => bytes / 1024 / 1024;
const options = JSON.parse(process.argv[2] ?? '') as SweepControlOptions;
const world = await openSweepWorld(options);
const janitor = new Janitor(world, options.sweepMs);
const lease = new Lease(world, 'janitor', options.sweepMs);
const sweepsMs: number[] = [];
const stopping = new AbortController();
let turn: Promise<unknown> = Promise.resolve();

/** One sweep at a time, whoever asks for it. */
function sweep(): Promise<void> {
  const next = turn.then(async () => {
    const started = performance.now();
    await janitor.sweep();
    sweepsMs.push(performance.now() - started);
  });
  turn = next.catch(() => undefined);
  return next;
}

const loop = repeat(world, 'janitor', options.sweepMs, () => lease.run(sweep), stopping.signal);

async function answer(request: SweepRequest): Promise<unknown> {
  switch (request.ask) {
    case 'figures': {
      globalThis.gc?.();
      const { heapUsed, rss } = process.memoryUsage();
      return {
        storeCalls: world.store.calls,
        jobsAdded: world.added(),
        sweepsMs,
        heapMib: mib(heapUsed),
        rssMib: mib(rss),
      } satisfies SweepFigures;
    }
    case 'sweeps':
      for (let n = 0; n < request.count; n++) {
        world.clock.forward(bounds.sweepLookMs);
        await sweep();
      }
      return null;
    case 'finish': {
      const started = performance.now();
      await finishBatch(world, request.batch);
      return performance.now() - started;
    }
    case 'end':
      stopping.abort();
      await loop;
      await lease.release();
      await world.close();
      process.disconnect();
      return null;
    default:
      throw new Error('Not a request of this benchmark.');
  }
}

process.on('message', (request: SweepRequest) => {
  answer(request).then(
    (value) => process.connected && process.send?.({ value }),
    (error: unknown) => process.connected && process.send?.({ error: String(error) }),
  );
});
