import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { Usage } from '../../domain/usage.js';
import type { World } from '../world.js';
import { countFiles } from './count-files.js';
import { LocalUsage } from './local-usage.js';

/** What one upload has told of itself so far, and to whom. */
interface Intake {
  told: number;
  epoch: number;
  isShared: boolean;
}

const newIntake = (): Intake => ({ told: 0, epoch: 0, isShared: true });
const nameOf = (tenant: string): string => `files:${tenant}`;

/** For calls that only tell something: they never begin a count. */
const noRecountMs = Number.MAX_SAFE_INTEGER;

const usedUp = (others: number, filesBytes: number): EyrieError =>
  new EyrieError(
    'insufficient_quota',
    `Files take ${others} of ${filesBytes} bytes already. Delete files that are not needed any more.`,
    { bound: 'filesBytesDefault' },
  );

/**
 * How many bytes of files a tenant may still store. The store is the truth: what is there is counted once a minute, by one process
 * for the whole installation, and what came in since is added to it through Redis as it comes. An upload reports it in steps, and all
 * of it again when a count has begun since, which could not see it; it ends only if all of it fits. While Redis is away each
 * process counts for itself, against the whole quota, and learns of what came in through others with its next count.
 */
export class FilesQuota {
  readonly #world: Pick<World, 'store' | 'tenants' | 'quickShared'>;
  readonly #local: LocalUsage;
  /** Counts under way in this process, by what they are for. */
  readonly #counts = new Map<string, Promise<number>>();

  constructor(world: Pick<World, 'store' | 'clock' | 'tenants' | 'quickShared'>) {
    this.#world = world;
    this.#local = new LocalUsage(world.clock);
  }

  /** Throws `insufficient_quota` when so many bytes more would be too many. */
  async check(tenant: string, bytes: number): Promise<void> {
    const limit = this.#limitOf(tenant);
    if (limit === null) return;
    const used = await this.#tell(tenant, newIntake(), 0);
    if (used + bytes > limit) throw usedUp(used, limit);
  }

  /**
   * Stores content that is counted while it passes. Throws `insufficient_quota` before it or in its middle; when it was not stored,
   * for whatever reason, none of it counts.
   */
  async metered<T>(
    tenant: string,
    content: AsyncIterable<Uint8Array>,
    store: (content: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const limit = this.#limitOf(tenant);
    if (limit === null) return store(content);
    await this.check(tenant, 1);
    const intake = newIntake();
    return this.#holding(tenant, intake, () => store(this.#counted(tenant, limit, intake, content)));
  }

  /** Stores so many bytes, with the same rules. */
  async taking<T>(tenant: string, bytes: number, store: () => Promise<T>): Promise<T> {
    const limit = this.#limitOf(tenant);
    if (limit === null) return store();
    const intake = newIntake();
    return this.#holding(tenant, intake, async () => {
      await this.#take(tenant, limit, intake, bytes);
      return store();
    });
  }

  #limitOf(tenant: string): number | null {
    return this.#world.tenants.quotas(tenant).filesBytes;
  }

  async #holding<T>(tenant: string, intake: Intake, step: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await step();
    } catch (error) {
      await this.#change(tenant, intake, -intake.told, noRecountMs);
      throw error;
    }
    // A count may have begun before it lay in the store, and behind the last that was told of it.
    await this.#change(tenant, intake, 0, noRecountMs);
    return result;
  }

  async *#counted(
    tenant: string,
    limit: number,
    intake: Intake,
    content: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    let untold = 0;
    let room = 0;
    for await (const chunk of content) {
      untold += chunk.length;
      if (untold > room || untold >= bounds.filesToldBytes) {
        room = await this.#take(tenant, limit, intake, untold);
        untold = 0;
      }
      yield chunk;
    }
    if (untold > 0) await this.#take(tenant, limit, intake, untold);
  }

  /** Tells of bytes that have come in. Returns how many more there is room for; throws when these were too many. */
  async #take(tenant: string, limit: number, intake: Intake, bytes: number): Promise<number> {
    const used = await this.#tell(tenant, intake, bytes);
    if (used > limit) throw usedUp(used - intake.told, limit);
    return limit - used;
  }

  /** Tells of bytes that have come in, and gives the bytes in use, with these. */
  async #tell(tenant: string, intake: Intake, bytes: number): Promise<number> {
    const { counted, added, countAs } = await this.#change(tenant, intake, bytes, bounds.filesCountedMs);
    if (countAs !== null) return this.#count(tenant, countAs, intake.isShared, added);
    return (counted ?? 0) + added;
  }

  async #change(tenant: string, intake: Intake, amount: number, recountMs: number): Promise<Usage> {
    // Where nothing was told before, all of it is.
    const changeFor = (isShared: boolean) => ({
      amount,
      before: intake.told,
      epoch: intake.isShared === isShared ? intake.epoch : 0,
    });
    const name = nameOf(tenant);
    const shared = await this.#world.quickShared.ask((state) => state.changeUsage(name, changeFor(true), recountMs));
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
    const name = nameOf(tenant);
    const found = await countFiles(this.#world.store, tenant);
    const usage = isShared
      ? await this.#world.quickShared.ask((shared) => shared.settleUsage(name, epoch, found))
      : this.#local.settle(name, epoch, found);
    return (usage?.counted ?? found) + (usage?.added ?? added);
  }
}
