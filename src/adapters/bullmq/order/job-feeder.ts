import { bounds } from '../../../domain/bounds.js';
import type { HeldJobs } from './job-order.js';

export interface FeederSetup {
  /** Jobs that the consumer could start now, and as many as it has places when they are done in no time. */
  readonly free: () => number;
  /** Of each tenant, how many jobs the consumer does. */
  readonly held: () => ReadonlyMap<string, number>;
  /**
   * Gives BullMQ the next jobs for `free` places, less those of its waiting ones that are not among the `expected`; `held` counts, of
   * each tenant, those that are done or expected. Says of which tenants they are before BullMQ has them: they may be started before
   * this resolves.
   */
  readonly feed: (
    free: number,
    expected: number,
    held: ReadonlyMap<string, HeldJobs>,
    onTaken: (tenants: readonly string[]) => void,
  ) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps a consumer's places filled: it moves jobs from the order to BullMQ whenever a job is started or has ended, and looks again
 * after a while as long as places are free. Nothing is moved ahead of need, so a batch that comes now waits behind no job but those
 * that were moved a moment ago; only jobs that are done in no time are moved ahead, or places would be empty for longer than full. A
 * consumer that dies leaves nothing behind but jobs that others take.
 */
export class JobFeeder {
  readonly #setup: FeederSetup;
  /** Jobs moved that this consumer has not started. Others may take them: the next look starts at zero again. */
  #expected = 0;
  readonly #expectedOf = new Map<string, number>();
  #pollMs: number = bounds.feedPollMsMin;
  #timer: NodeJS.Timeout | undefined;
  #feeding: Promise<void> | null = null;
  #again = false;
  #closed = false;

  constructor(setup: FeederSetup) {
    this.#setup = setup;
    this.nudge();
  }

  started(tenant: string): void {
    this.#expected = Math.max(0, this.#expected - 1);
    const expected = (this.#expectedOf.get(tenant) ?? 0) - 1;
    if (expected > 0) this.#expectedOf.set(tenant, expected);
    else this.#expectedOf.delete(tenant);
    this.nudge();
  }

  /** A place may have become free. */
  nudge(): void {
    this.#pollMs = bounds.feedPollMsMin;
    this.#run();
  }

  /** Moves nothing from now on; resolves when a move under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#feeding;
  }

  #run(): void {
    if (this.#closed) return;
    this.#again = true;
    this.#feeding ??= this.#feed().finally(() => {
      this.#feeding = null;
      if (this.#again) this.#run();
    });
  }

  async #feed(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#again && !this.#closed) {
      this.#again = false;
      const free = this.#setup.free() - this.#expected;
      if (free <= 0) continue;
      try {
        await this.#setup.feed(free, this.#expected, this.#held(), (tenants) => {
          this.#expected += tenants.length;
          for (const tenant of tenants) this.#expectedOf.set(tenant, (this.#expectedOf.get(tenant) ?? 0) + 1);
        });
      } catch (error) {
        this.#setup.onError(error);
      }
    }
    if (this.#closed || this.#setup.free() <= 0) return;
    this.#timer = setTimeout(() => {
      this.#pollMs = Math.min(2 * this.#pollMs, bounds.feedPollMsMax);
      this.#expected = 0;
      this.#expectedOf.clear();
      this.#run();
    }, this.#pollMs);
    this.#timer.unref();
  }

  #held(): ReadonlyMap<string, HeldJobs> {
    const active = this.#setup.held();
    const tenants = new Set([...active.keys(), ...this.#expectedOf.keys()]);
    return new Map(
      [...tenants].map((tenant) => [
        tenant,
        { active: active.get(tenant) ?? 0, expected: this.#expectedOf.get(tenant) ?? 0 },
      ]),
    );
  }
}
