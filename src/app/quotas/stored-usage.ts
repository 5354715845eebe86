import type { Usage } from '../../domain/usage.js';
import type { Clock } from '../../ports/clock.js';
import { LocalUsage } from './local-usage.js';
import type { QuickShared } from './quick-shared.js';

/** How much there is of each kind, e.g. bytes and files. */
export type Amounts<Kind extends string> = Readonly<Record<Kind, number>>;

/** What one upload, or one result, has told of itself so far, and to whom. */
export interface Intake<Kind extends string> {
  told: Amounts<Kind>;
  epochs: Amounts<Kind>;
  isShared: boolean;
}

/** What is counted. */
export interface Counted<Kind extends string> {
  /** The name under which the processes share each kind. */
  readonly names: Readonly<Record<Kind, string>>;
  /** What a tenant has in the store: one look at it counts all kinds. */
  readonly count: (tenant: string) => Promise<Amounts<Kind>>;
}

/** For calls that only tell something: they never begin a count. */
const noRecountMs = Number.MAX_SAFE_INTEGER;

const inUse = ({ counted, added }: Usage): number => (counted ?? 0) + added;

/**
 * How much of something a tenant has. The store is the truth: what is there is counted now and then, by one process for the whole
 * installation, and what came in since is added to it through Redis as it comes. While Redis is away each process counts for itself,
 * and learns of what came in through others with its next count.
 */
export class StoredUsage<Kind extends string> {
  readonly #quickShared: QuickShared;
  readonly #counted: Counted<Kind>;
  readonly #kinds: readonly Kind[];
  readonly #local: LocalUsage;
  /** Counts under way in this process, by what they are for. */
  readonly #counts = new Map<string, Promise<Amounts<Kind>>>();
  /** The one that was begun last, by tenant. */
  readonly #latest = new Map<string, Promise<Amounts<Kind>>>();

  constructor(
    { quickShared, clock }: { readonly clock: Clock; readonly quickShared: QuickShared },
    counted: Counted<Kind>,
  ) {
    this.#quickShared = quickShared;
    this.#counted = counted;
    this.#kinds = Object.keys(counted.names) as Kind[];
    this.#local = new LocalUsage(clock);
  }

  newIntake(): Intake<Kind> {
    const nothing = this.each(() => 0);
    return { told: nothing, epochs: nothing, isShared: true };
  }

  each<T>(valueOf: (kind: Kind) => T): Record<Kind, T> {
    return Object.fromEntries(this.#kinds.map((kind) => [kind, valueOf(kind)])) as Record<Kind, T>;
  }

  /**
   * Tells of what has come in, and gives what is in use, with this. A count that is older than `recountMs` is made anew. It takes as
   * long as the store has objects of the tenant, so it is waited for only where nothing was counted before, or where what is known to
   * be in use is not `fine`: some of it may have been deleted since.
   */
  async tell(
    tenant: string,
    intake: Intake<Kind>,
    amounts: Amounts<Kind>,
    recountMs: number,
    fine: (used: Amounts<Kind>) => boolean,
  ): Promise<Amounts<Kind>> {
    let usages = await this.#change(tenant, intake, amounts, recountMs);
    const isDue = (kind: Kind): boolean => usages[kind].countAs !== null;
    const known = (): Amounts<Kind> => this.each((kind) => inUse(usages[kind]));
    if (!this.#kinds.some(isDue)) {
      const underWay = this.#latest.get(tenant);
      if (!underWay || fine(known())) return known();
      await underWay.catch(() => undefined);
      usages = await this.#ask(tenant, intake, noRecountMs);
      return known();
    }
    // One look at the store counts all kinds: else they would be due at different times for good.
    if (!this.#kinds.every(isDue)) {
      const before = usages;
      const now = await this.#ask(tenant, intake, recountMs / 2);
      usages = this.each((kind) => ({ ...now[kind], countAs: now[kind].countAs ?? before[kind].countAs }));
    }
    const count = this.#count(tenant, usages, intake.isShared);
    if (this.#kinds.some((kind) => usages[kind].counted === null) || !fine(known())) return count;
    // When it has not ended in time, whoever asks then begins another one.
    count.catch(() => undefined);
    return known();
  }

  /** Tells of what has come in; nothing is counted for it. */
  async note(tenant: string, intake: Intake<Kind>, amounts: Amounts<Kind>): Promise<void> {
    await this.#change(tenant, intake, amounts, noRecountMs);
  }

  /** Takes back all that was told. */
  async forget(tenant: string, intake: Intake<Kind>): Promise<void> {
    await this.note(
      tenant,
      intake,
      this.each((kind) => -intake.told[kind]),
    );
  }

  #ask(tenant: string, intake: Intake<Kind>, recountMs: number): Promise<Record<Kind, Usage>> {
    const nothing = this.each(() => 0);
    return this.#change(tenant, intake, nothing, recountMs);
  }

  async #change(
    tenant: string,
    intake: Intake<Kind>,
    amounts: Amounts<Kind>,
    recountMs: number,
  ): Promise<Record<Kind, Usage>> {
    // Where nothing was told before, all of it is.
    const changeFor = (kind: Kind, isShared: boolean) => ({
      amount: amounts[kind],
      before: intake.told[kind],
      epoch: intake.isShared === isShared ? intake.epochs[kind] : 0,
    });
    const shared = await this.#quickShared.ask(async (state) => {
      const told = this.#kinds.map((kind) =>
        state.changeUsage(this.#nameOf(kind, tenant), changeFor(kind, true), recountMs),
      );
      const usages = await Promise.all(told);
      return Object.fromEntries(this.#kinds.map((kind, at) => [kind, usages[at]])) as Record<Kind, Usage>;
    });
    const usages =
      shared ?? this.each((kind) => this.#local.change(this.#nameOf(kind, tenant), changeFor(kind, false), recountMs));
    const { told } = intake;
    intake.told = this.each((kind) => told[kind] + amounts[kind]);
    intake.epochs = this.each((kind) => usages[kind].epoch);
    intake.isShared = shared !== null;
    return usages;
  }

  #count(tenant: string, usages: Readonly<Record<Kind, Usage>>, isShared: boolean): Promise<Amounts<Kind>> {
    const id = [tenant, isShared, ...this.#kinds.map((kind) => usages[kind].countAs)].join(' ');
    const underWay = this.#counts.get(id);
    if (underWay) return underWay;
    const count = this.#countNow(tenant, usages, isShared).finally(() => {
      this.#counts.delete(id);
      if (this.#latest.get(tenant) === count) this.#latest.delete(tenant);
    });
    this.#counts.set(id, count);
    this.#latest.set(tenant, count);
    return count;
  }

  async #countNow(tenant: string, usages: Readonly<Record<Kind, Usage>>, isShared: boolean): Promise<Amounts<Kind>> {
    const found = await this.#counted.count(tenant);
    const settle = async (kind: Kind): Promise<number> => {
      const { countAs, added } = usages[kind];
      if (countAs === null) return inUse(usages[kind]);
      const name = this.#nameOf(kind, tenant);
      const usage = isShared
        ? await this.#quickShared.ask((shared) => shared.settleUsage(name, countAs, found[kind]))
        : this.#local.settle(name, countAs, found[kind]);
      return (usage?.counted ?? found[kind]) + (usage?.added ?? added);
    };
    const settled = await Promise.all(this.#kinds.map(settle));
    return Object.fromEntries(this.#kinds.map((kind, at) => [kind, settled[at]])) as Record<Kind, number>;
  }

  #nameOf(kind: Kind, tenant: string): string {
    return `${this.#counted.names[kind]}:${tenant}`;
  }
}
