import type { Usage } from '../../domain/usage.js';
import type { Clock } from '../../ports/clock.js';
import type { QuickShared } from './quick-shared.js';
import { LocalUsage } from './local-usage.js';

/** What one upload, or one result, has told of itself so far, and to whom. */
export interface Intake {
  told: number;
  epoch: number;
  isShared: boolean;
}

export const newIntake = (): Intake => ({ told: 0, epoch: 0, isShared: true });

/** For calls that only tell something: they never begin a count. */
const noRecountMs = Number.MAX_SAFE_INTEGER;

/** What is counted, e.g. `files`, and the bytes of it that a tenant has in the store. */
export interface Counted {
  readonly kind: string;
  readonly count: (tenant: string) => Promise<number>;
}

/**
 * How many bytes of something a tenant has. The store is the truth: what is there is counted now and then, by one process for the
 * whole installation, and what came in since is added to it through Redis as it comes. While Redis is away each process counts for
 * itself, and learns of what came in through others with its next count.
 */
export class StoredUsage {
  readonly #quickShared: QuickShared;
  readonly #counted: Counted;
  readonly #local: LocalUsage;
  /** Counts under way in this process, by what they are for. */
  readonly #counts = new Map<string, Promise<number>>();

  constructor({ quickShared, clock }: { readonly clock: Clock; readonly quickShared: QuickShared }, counted: Counted) {
    this.#quickShared = quickShared;
    this.#counted = counted;
    this.#local = new LocalUsage(clock);
  }

  /** Tells of bytes that have come in, and gives the bytes in use, with these. A count that is older than `recountMs` is made anew. */
  async tell(tenant: string, intake: Intake, bytes: number, recountMs: number): Promise<number> {
    const { counted, added, countAs } = await this.#change(tenant, intake, bytes, recountMs);
    if (countAs !== null) return this.#count(tenant, countAs, intake.isShared, added);
    return (counted ?? 0) + added;
  }

  /** Tells of bytes that have come in, or below 0 that they have not after all; nothing is counted for it. */
  async note(tenant: string, intake: Intake, bytes: number): Promise<void> {
    await this.#change(tenant, intake, bytes, noRecountMs);
  }

  async #change(tenant: string, intake: Intake, amount: number, recountMs: number): Promise<Usage> {
    // Where nothing was told before, all of it is.
    const changeFor = (isShared: boolean) => ({
      amount,
      before: intake.told,
      epoch: intake.isShared === isShared ? intake.epoch : 0,
    });
    const name = this.#nameOf(tenant);
    const shared = await this.#quickShared.ask((state) => state.changeUsage(name, changeFor(true), recountMs));
    const usage = shared ?? this.#local.change(name, changeFor(false), recountMs);
    intake.told += amount;
    intake.epoch = usage.epoch;
    intake.isShared = shared !== null;
    return usage;
  }

  #count(tenant: string, epoch: number, isShared: boolean, added: number): Promise<number> {
    const id = `${tenant} ${epoch} ${isShared}`;
    const running = this.#counts.get(id);
    if (running) return running;
    const count = this.#countNow(tenant, epoch, isShared, added).finally(() => this.#counts.delete(id));
    this.#counts.set(id, count);
    return count;
  }

  async #countNow(tenant: string, epoch: number, isShared: boolean, added: number): Promise<number> {
    const name = this.#nameOf(tenant);
    const found = await this.#counted.count(tenant);
    const usage = isShared
      ? await this.#quickShared.ask((shared) => shared.settleUsage(name, epoch, found))
      : this.#local.settle(name, epoch, found);
    return (usage?.counted ?? found) + (usage?.added ?? added);
  }

  #nameOf(tenant: string): string {
    return `${this.#counted.kind}:${tenant}`;
  }
}
