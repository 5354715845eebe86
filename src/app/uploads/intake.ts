import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { listAll } from '../list-all.js';
import type { World } from '../world.js';

/** A look at the parts in the store while parts are stored here. */
interface Look {
  /** Parts that were under way here when it began, and are counted when they end: the listing may have them or not. Others wait for it. */
  readonly own: ReadonlySet<string>;
  /** Of those that were stored during it. */
  bytes: number;
  parts: number;
}

/**
 * What a process knows of an upload's parts: those that it has listed, and those that it has stored since. What other processes store
 * is seen with the next listing, see `ready`.
 */
export class Intake {
  /** Parts that are stored. */
  bytes = 0;
  parts = 0;
  /** What has come in of parts that are not stored yet. */
  coming = 0;
  /** Parts that are being taken; they count as parts from then on. */
  taking = 0;
  readonly #world: Pick<World, 'store' | 'clock'>;
  readonly #prefix: string;
  /** Keys of parts under way. */
  readonly #own = new Set<string>();
  #look: Look | null = null;
  #looking: Promise<void> | null = null;
  /** Nothing is known, or what is known may be wrong. */
  #isDoubted = true;
  /** When the last listing ended. */
  #lookedMs = 0;
  /** Parts that were stored here since the last listing began. */
  #since = 0;

  constructor(world: Pick<World, 'store' | 'clock'>, tenant: string, uploadId: string) {
    this.#world = world;
    this.#prefix = keys.uploadParts(tenant, uploadId);
  }

  get isIdle(): boolean {
    return this.#own.size === 0;
  }

  /** From here until `end`, a listing leaves the part out. Then comes `ready`. */
  begin(key: string): void {
    this.#own.add(key);
  }

  stored(bytes: number): void {
    this.bytes += bytes;
    this.parts++;
    this.#since++;
    if (!this.#look) return;
    this.#look.bytes += bytes;
    this.#look.parts++;
  }

  end(key: string): void {
    this.#own.delete(key);
  }

  /** A part may have been left behind: the parts are listed before another one is taken. */
  doubt(): void {
    this.#isDoubted = true;
  }

  /**
   * To be waited for before a part is taken. The parts are listed when nothing is known of them, and again from time to time, but never
   * more entries than `bounds.uploadPartsListedEach` for each part that came.
   */
  ready(): Promise<void> {
    return this.#lookIf(() => this.#isOld() && this.parts <= bounds.uploadPartsListedEach * (this.#since + 1));
  }

  /** To be waited for before a part is refused: other processes may have taken parts back. */
  reconsider(): Promise<void> {
    return this.#lookIf(() => this.#isOld());
  }

  #isOld(): boolean {
    return this.#world.clock.monotonic() - this.#lookedMs >= bounds.uploadLookMs;
  }

  async #lookIf(isDue: () => boolean): Promise<void> {
    while (this.#looking !== null || this.#isDoubted || isDue()) {
      this.#looking ??= this.#list().finally(() => (this.#looking = null));
      await this.#looking;
    }
  }

  async #list(): Promise<void> {
    const look: Look = { own: new Set(this.#own), bytes: 0, parts: 0 };
    this.#look = look;
    this.#isDoubted = false;
    this.#since = 0;
    try {
      let [bytes, parts] = [0, 0];
      for await (const part of listAll(this.#world.store, this.#prefix)) {
        if (look.own.has(part.key)) continue;
        bytes += part.bytes;
        parts++;
      }
      this.bytes = bytes + look.bytes;
      this.parts = parts + look.parts;
      this.#lookedMs = this.#world.clock.monotonic();
    } catch (error) {
      this.#isDoubted = true;
      throw error;
    } finally {
      this.#look = null;
    }
  }
}
