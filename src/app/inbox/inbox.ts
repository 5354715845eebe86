import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { failureReason } from '../failure-reason.js';
import type { World } from '../world.js';
import { InboxWalk } from './inbox-walk.js';
import { rejectDrop, takeDrop } from './take-drop.js';

/** A tenant's inbox, as the polls see it. */
export class Inbox {
  readonly #world: World;
  readonly #tenant: string;
  readonly #walk: InboxWalk;
  #looking: Promise<void> | null = null;
  #isSlow = false;

  constructor(world: World, tenant: string) {
    this.#world = world;
    this.#tenant = tenant;
    this.#walk = new InboxWalk(world, tenant, {
      take: (object) => takeDrop(world, tenant, object),
      reject: (object, code, message) => rejectDrop(world, tenant, object, code, message),
    });
  }

  /** A look is under way: there is one at most. */
  get isLooking(): boolean {
    return this.#looking !== null;
  }

  /** The last look took longer than a poll waits for one. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** One look. Never throws. `turn`: waits until it may begin. */
  async look(share: number, turn: (look: () => Promise<void>) => Promise<void> = (look) => look()): Promise<void> {
    this.#looking = turn(() => this.#lookNow(share)).finally(() => (this.#looking = null));
    await this.#looking;
  }

  /** The same, but returns after a while, and the look goes on. */
  async lookInTime(share: number): Promise<void> {
    const done = new AbortController();
    void this.look(share).finally(() => done.abort());
    await this.#world.clock.sleep(bounds.inboxWaitMs, done.signal);
    this.#isSlow = this.isLooking;
  }

  async #lookNow(share: number): Promise<void> {
    const { clock, log } = this.#world;
    const began = clock.monotonic();
    try {
      await this.#walk.look(share);
    } catch (error) {
      log.warn('inbox.failed', { tenant: this.#tenant, code: errorCode(error), reason: failureReason(error) });
    }
    this.#isSlow = clock.monotonic() - began > bounds.inboxWaitMs;
  }
}
