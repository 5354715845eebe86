import { bounds } from '../../domain/bounds.js';
import type { Clock } from '../../ports/clock.js';
import type { JobKind } from '../../ports/job-queue.js';
import type { ObjectInfo } from '../../ports/object-store.js';

/** What a look at a batch gave. */
export interface Look {
  /** The state in a few characters: another one than before is news. null: the look failed. */
  readonly found: string | null;
  /** When something is to be done whatever happens, Unix ms. */
  readonly dueMs: number;
  /** The batch is looked at this often, at least. */
  readonly waitMsMax: number;
  /** A job that the queue holds as long as nothing happens; null: there is none to watch. */
  readonly watched: { readonly kind: JobKind; readonly id: string } | null;
  /** Jobs had to be put back. */
  readonly restored: boolean;
}

interface Entry {
  readonly mark: string;
  readonly look: Look;
  /** By the monotonic clock. */
  readonly lookedMs: number;
  readonly waitMs: number;
  /** A watched job that is gone brings a look no sooner than this after the last. */
  readonly lossWaitMs: number;
  readonly notedMs: number;
  sweep: number;
}

const markOf = ({ etag, modifiedMs }: ObjectInfo): string => `${modifiedMs} ${etag}`;

/** 0 to 1, from the name: what was looked at together is not all looked at together for ever. */
function spreadOf(name: string): number {
  let hash = 0;
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + name.charCodeAt(at)) >>> 0;
  return hash / 2 ** 32;
}

/**
 * When each open batch is looked at next:
 *
 *     found something new          at the next sweep
 *     found nothing new            after twice the wait, up to `waitMsMax`
 *     its time has come            at once (expiry, end of a grace)
 *     its marker was rewritten     at once (a cancel)
 *     its watched job is gone      at once; less often while jobs keep getting lost
 *
 * One small entry for each open batch; those whose marker a sweep did not meet are dropped.
 */
export class LookTimes {
  readonly #clock: Clock;
  readonly #sweepMs: number;
  readonly #entries = new Map<string, Entry>();
  #sweep = 0;

  constructor(clock: Clock, sweepMs: number) {
    this.#clock = clock;
    this.#sweepMs = sweepMs;
  }

  beginSweep(): void {
    this.#sweep++;
  }

  /** Every marker was met. */
  endSweep(): void {
    for (const [key, { sweep }] of this.#entries) if (sweep !== this.#sweep) this.#entries.delete(key);
  }

  /** Watched jobs by kind: id → key of the marker. */
  watched(): ReadonlyMap<JobKind, ReadonlyMap<string, string>> {
    const watched = new Map<JobKind, Map<string, string>>();
    const now = this.#clock.monotonic();
    for (const [key, { look, lookedMs, lossWaitMs }] of this.#entries) {
      if (!look.watched || now - lookedMs < lossWaitMs) continue;
      const ofKind = watched.get(look.watched.kind) ?? new Map<string, string>();
      watched.set(look.watched.kind, ofKind.set(look.watched.id, key));
    }
    return watched;
  }

  isDue(marker: ObjectInfo, news: ReadonlySet<string>): boolean {
    const entry = this.#entries.get(marker.key);
    if (!entry) return true;
    entry.sweep = this.#sweep;
    if (entry.mark !== markOf(marker) || news.has(marker.key) || this.#clock.now() >= entry.look.dueMs) return true;
    return this.#clock.monotonic() - entry.lookedMs >= entry.waitMs;
  }

  /** What was found the last time; null: no look has succeeded so far. */
  last(key: string): string | null {
    return this.#entries.get(key)?.look.found ?? null;
  }

  /** When the open work was last noted, by the monotonic clock; null: never. */
  notedMs(key: string): number | null {
    return this.#entries.get(key)?.notedMs ?? null;
  }

  looked(marker: ObjectInfo, look: Look, noted: boolean): void {
    const { key } = marker;
    const now = this.#clock.monotonic();
    const before = this.#entries.get(key);
    const isNew = before !== undefined && before.look.found !== look.found;
    const longest = look.waitMsMax * (1 - spreadOf(key) / 4);
    this.#entries.set(key, {
      mark: markOf(marker),
      look,
      lookedMs: now,
      waitMs: isNew ? 0 : Math.min(longest, Math.max(this.#sweepMs, 2 * (before?.waitMs ?? 0))),
      lossWaitMs: look.restored ? Math.min(longest, Math.max(this.#sweepMs, 2 * (before?.lossWaitMs ?? 0))) : 0,
      notedMs: noted ? now : (before?.notedMs ?? -Infinity),
      sweep: this.#sweep,
    });
  }

  /** A look that failed is made again like one that found nothing new. */
  failed(marker: ObjectInfo): void {
    const before = this.#entries.get(marker.key);
    const unknown = { found: null, dueMs: Infinity, waitMsMax: bounds.sweepLookMs, watched: null, restored: false };
    this.looked(marker, { ...(before?.look ?? unknown), dueMs: Infinity, restored: true }, false);
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }
}
