import { createHash } from 'node:crypto';
import { bounds } from '../../domain/bounds.js';
import { errorCode, type ErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectInfo, SkippedEntry } from '../../ports/object-store.js';
import { failureReason } from '../failure-reason.js';
import { sideBySide } from '../side-by-side.js';
import type { World } from '../world.js';
import { TakenDrops } from './taken-drops.js';
import { Troubles } from './troubles.js';

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

/** What becomes of a drop. */
export interface DropSteps {
  take(object: ObjectInfo): Promise<void>;
  /** It becomes no batch; its user is notified of the reason. */
  reject(object: ObjectInfo, code: ErrorCode, message: string): Promise<void>;
}

const skippedMessages: Readonly<Record<SkippedEntry['why'], string>> = {
  no_rights:
    'The service may not read this. Give the user that it runs as read rights on the file, and read and search rights on its folders.',
  name_too_long:
    'The path is too long: 255 bytes for each name and 1024 for the whole path below the store are allowed. Shorten it.',
  name_not_utf8: 'The name is not valid UTF-8. Rename it.',
  io_error: 'The disk does not give this out. Put it there again.',
};

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
  readonly #steps: DropSteps;
  readonly #taken = new TakenDrops();
  readonly #troubles = new Troubles(bounds.inboxTroublesMax);
  /** The key behind which the window begins. */
  #from: string | null = null;
  /** What the last look saw in this window and did not take; null: there was none. */
  #seen: ReadonlySet<string> | null = null;
  /** What was taken while the walk stayed at this window, remembered for longer or not. */
  readonly #done = new Set<string>();

  constructor(world: Pick<World, 'store' | 'log'>, tenant: string, steps: DropSteps) {
    this.#world = world;
    this.#tenant = tenant;
    this.#steps = steps;
  }

  /** `rememberedMax`: as many drops are remembered as taken. */
  async look(rememberedMax: number): Promise<void> {
    const { objects, skipped, next } = await this.#listWindow();
    for (const entry of skipped) if (!unfinished.test(entry.key)) await this.#tellSkipped(entry);
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
      if (await this.#takeDrop(object, mark)) {
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
    if (next !== null) return;
    this.#taken.endRound();
    this.#troubles.endRound();
  }

  async #listWindow(): Promise<{ objects: ObjectInfo[]; skipped: SkippedEntry[]; next: string | null }> {
    const objects: ObjectInfo[] = [];
    const skipped: SkippedEntry[] = [];
    let next = this.#from;
    for (let pages = 0; pages < bounds.inboxPagesPerPoll; pages++) {
      const page = await this.#world.store.list(keys.inbox(this.#tenant), next === null ? {} : { after: next });
      objects.push(...page.objects);
      skipped.push(...(page.skipped ?? []));
      next = page.next;
      if (next === null) break;
    }
    return { objects, skipped, next };
  }

  /** Whether the drop is done with. */
  async #takeDrop(object: ObjectInfo, mark: string): Promise<boolean> {
    try {
      await this.#steps.take(object);
      return true;
    } catch (error) {
      const code = errorCode(error);
      // One that is changed while it is looked at is seen again as another version.
      if (code === 'input_changed') return false;
      const tries = this.#troubles.meet(`${mark} ${code}`);
      if (tries === 1) this.#tell('inbox.failed', code, failureReason(error));
      if (code !== 'input_unreadable' || tries < bounds.inboxTriesMax) return false;
      return this.#reject(object, code, skippedMessages.no_rights);
    }
  }

  /** An entry that is no object. It has no version, so it is reported once for each reason. */
  async #tellSkipped({ key, why }: SkippedEntry): Promise<void> {
    const tries = this.#troubles.meet(`${why} ${markOf({ key, etag: '', bytes: 0, modifiedMs: 0 })}`);
    if (tries === 1) this.#tell('inbox.skipped', 'input_unreadable', why);
    if (tries === bounds.inboxTriesMax)
      await this.#reject({ key, etag: why, bytes: 0, modifiedMs: 0 }, 'input_unreadable', skippedMessages[why]);
  }

  async #reject(object: ObjectInfo, code: ErrorCode, message: string): Promise<boolean> {
    try {
      await this.#steps.reject(object, code, message);
      return true;
    } catch (error) {
      this.#tell('inbox.failed', errorCode(error), failureReason(error));
      return false;
    }
  }

  #tell(event: string, code: ErrorCode, reason: string): void {
    this.#world.log.warn(event, { tenant: this.#tenant, code, reason });
  }
}
