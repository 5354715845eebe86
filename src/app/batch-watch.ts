import { errorCode } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import type { StopCause } from '../domain/stop-cause.js';
import { readBatchAttempts } from './attempts/batch-attempts.js';
import { cancelRequestedMs } from './batch-records.js';
import type { World } from './world.js';

/** What a look at a batch showed. */
export interface BatchSight {
  /** submit.json is there: the batch was not removed. */
  readonly exists: boolean;
  /** manifest.json is there: nothing is to be written for it any more. */
  readonly ended: boolean;
  /** When the cancel was asked for, Unix ms; null when it was not. */
  readonly cancelMs: number | null;
  /** Shards of which a failure was noted. */
  readonly attempted: ReadonlySet<number>;
}

/** One shard's watch of its batch. */
export interface BatchWatch {
  /** Aborted with `user_cancel` once a cancel was seen, or with `deadline` at the end of the window, within two seconds. */
  readonly signal: AbortSignal;
  /** What was seen within the last two seconds; looks when nothing was. Throws what the store throws. */
  sight(): Promise<BatchSight>;
  close(): void;
}

/** How often a batch is looked at while shards of it run, and for how long what was seen counts. */
const watchMs = 2000;

interface Watcher {
  readonly expiresMs: number;
  readonly abort: AbortController;
}

interface Watched {
  readonly tenant: string;
  readonly batchId: string;
  readonly watchers: Set<Watcher>;
  /** The last look, by the monotonic clock; null before the first. */
  seen: { readonly sight: BatchSight; readonly atMs: number } | null;
  /** When the last look began, whatever came of it. */
  lookedMs: number;
  looking: Promise<BatchSight> | null;
  /** Ends the loop. */
  stop: AbortController;
}

/**
 * The batches of which this worker runs shards: each is looked at once in two seconds, however many of its shards run. What was seen
 * serves the next shard too, so that its start costs no reads; nothing runs on when the last shard has ended.
 */
export class BatchWatches {
  readonly #world: Pick<World, 'store' | 'clock' | 'log'>;
  readonly #batches = new Map<string, Watched>();

  constructor(world: Pick<World, 'store' | 'clock' | 'log'>) {
    this.#world = world;
  }

  /** Begins to watch; `expiresMs` is the end of the batch's window, Unix ms. */
  subscribe(tenant: string, batchId: string, expiresMs = Infinity): BatchWatch {
    this.#dropOld();
    const name = `${tenant}/${batchId}`;
    const batch: Watched = this.#batches.get(name) ?? {
      tenant,
      batchId,
      watchers: new Set(),
      seen: null,
      lookedMs: -Infinity,
      looking: null,
      stop: new AbortController(),
    };
    this.#batches.set(name, batch);
    const watcher = { expiresMs, abort: new AbortController() };
    batch.watchers.add(watcher);
    if (batch.watchers.size === 1) {
      batch.stop = new AbortController();
      void this.#watch(batch, batch.stop.signal);
    }
    this.#tell(batch);
    return {
      signal: watcher.abort.signal,
      sight: () => this.#sight(batch),
      close: () => {
        batch.watchers.delete(watcher);
        if (batch.watchers.size === 0) batch.stop.abort();
      },
    };
  }

  /** Batches that are known: those watched, and those of the last seconds. */
  get size(): number {
    return this.#batches.size;
  }

  #isFresh({ seen }: Watched): boolean {
    return seen !== null && this.#world.clock.monotonic() - seen.atMs < watchMs;
  }

  /** What was seen of a batch without watchers is kept for the next shard, and no longer than it counts. */
  #dropOld(): void {
    for (const [name, batch] of this.#batches)
      if (batch.watchers.size === 0 && !batch.looking && !this.#isFresh(batch)) this.#batches.delete(name);
  }

  #sight(batch: Watched): Promise<BatchSight> {
    if (batch.seen && this.#isFresh(batch)) return Promise.resolve(batch.seen.sight);
    return (batch.looking ??= this.#look(batch).finally(() => (batch.looking = null)));
  }

  async #look(batch: Watched): Promise<BatchSight> {
    const { store, clock } = this.#world;
    const { tenant, batchId } = batch;
    const atMs = (batch.lookedMs = clock.monotonic());
    const [submit, manifest, cancelMs, attempts] = await Promise.all([
      store.head(keys.submit(tenant, batchId)),
      store.head(keys.manifest(tenant, batchId)),
      cancelRequestedMs(store, tenant, batchId),
      readBatchAttempts(store, tenant, batchId),
    ]);
    const sight = { exists: submit !== null, ended: manifest !== null, cancelMs, attempted: attempts.shards };
    batch.seen = { sight, atMs };
    this.#tell(batch);
    return sight;
  }

  /** Tells the watchers what was seen, and what the clock says. */
  #tell({ seen, watchers }: Watched): void {
    const now = this.#world.clock.now();
    for (const { expiresMs, abort } of watchers) {
      const cause: StopCause | null =
        now >= expiresMs ? 'deadline' : seen && seen.sight.cancelMs !== null ? 'user_cancel' : null;
      if (cause && !abort.signal.aborted) abort.abort(cause);
    }
  }

  async #watch(batch: Watched, stop: AbortSignal): Promise<void> {
    for (;;) {
      const sinceMs = this.#world.clock.monotonic() - batch.lookedMs;
      await this.#world.clock.sleep(sinceMs < watchMs ? watchMs - sinceMs : watchMs, stop);
      if (stop.aborted) return;
      this.#tell(batch);
      try {
        await this.#sight(batch);
      } catch (error) {
        // The store is away: the lines go on, and the next look may see more.
        this.#world.log.warn('shard.watch_failed', { batchId: batch.batchId, code: errorCode(error) });
      }
    }
  }
}
