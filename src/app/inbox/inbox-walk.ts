import { createHash } from 'node:crypto';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectInfo } from '../../ports/object-store.js';
import { sideBySide } from '../side-by-side.js';
import type { World } from '../world.js';
import { TakenDrops } from './taken-drops.js';

/** Names that editors and copying tools use for files that are not ready. */
const unfinished = /(^|\/)\.|\.(tmp|part|partial|swp)$|~$/;

/** One dropped object version is one batch, however often it is seen. */
export const versionOf = ({ key, etag, bytes }: ObjectInfo): string => `${key}\0${etag}\0${bytes}`;

/** A version in 16 letters, however long its key is: 96 bits, so no two of an inbox are the same. */
const markOf = (object: ObjectInfo): string =>
  createHash('sha256').update(versionOf(object)).digest().toString('base64', 0, 12);

interface Drop {
  readonly object: ObjectInfo;
  readonly mark: string;
}

/**
 * The walk over one inbox, a look at each poll. Its cost and its memory are bounded, whatever lies there:
 *
 *     the inbox fits into one window      every look is at all of it; what the look before saw unchanged is taken
 *     it does not                         a window is looked at, looked at again and taken, then the next one; behind the last the
 *                                         first. A window with more to take than one poll may take is stayed at until it is done
 *
 * What could not be taken is tried again: in a small inbox by the next look, in a large one by the next round.
 */
export class InboxWalk {
  readonly #world: Pick<World, 'store' | 'log'>;
  readonly #tenant: string;
  readonly #take: (object: ObjectInfo) => Promise<void>;
  readonly #taken = new TakenDrops();
  /** The key behind which the window begins. */
  #from: string | null = null;
  /** What the last look saw in this window and did not take; null: there was none. */
  #seen: ReadonlySet<string> | null = null;
  /** What was taken while the walk stayed at this window, remembered for longer or not. */
  readonly #done = new Set<string>();

  constructor(world: Pick<World, 'store' | 'log'>, tenant: string, take: (object: ObjectInfo) => Promise<void>) {
    this.#world = world;
    this.#tenant = tenant;
    this.#take = take;
  }

  /** `rememberedMax`: as many drops are remembered as taken. */
  async look(rememberedMax: number): Promise<void> {
    const { objects, next } = await this.#listWindow();
    const seen = new Set<string>();
    const unchanged: Drop[] = [];
    for (const object of objects) {
      if (unfinished.test(object.key)) continue;
      const mark = markOf(object);
      if (this.#done.has(mark) || this.#taken.has(mark, rememberedMax)) continue;
      if (this.#seen?.has(mark)) unchanged.push({ object, mark });
      else seen.add(mark);
    }
    const due = unchanged.slice(0, bounds.inboxTakesPerPoll);
    const later = unchanged.slice(bounds.inboxTakesPerPoll);
    for (const { mark } of later) seen.add(mark);
    await sideBySide(due, bounds.inboxTakesAtOnce, async ({ object, mark }) => {
      if (await this.#takeDrop(object)) {
        this.#taken.add(mark, rememberedMax);
        this.#done.add(mark);
      } else seen.add(mark);
    });
    const isWhole = this.#from === null && next === null;
    const isDone = this.#seen !== null && later.length === 0;
    this.#seen = isDone && !isWhole ? null : seen;
    if (!isWhole && !isDone) return;
    this.#from = next;
    this.#done.clear();
    if (next === null) this.#taken.endRound();
  }

  async #listWindow(): Promise<{ objects: ObjectInfo[]; next: string | null }> {
    const objects: ObjectInfo[] = [];
    let next = this.#from;
    for (let pages = 0; pages < bounds.inboxPagesPerPoll; pages++) {
      const page = await this.#world.store.list(keys.inbox(this.#tenant), next === null ? {} : { after: next });
      objects.push(...page.objects);
      next = page.next;
      if (next === null) break;
    }
    return { objects, next };
  }

  async #takeDrop(object: ObjectInfo): Promise<boolean> {
    try {
      await this.#take(object);
      return true;
    } catch (error) {
      this.#world.log.warn('inbox.failed', { tenant: this.#tenant, code: errorCode(error) });
      return false;
    }
  }
}
