import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { Usage } from '../../domain/usage.js';
import type { World } from '../world.js';
import { countFiles } from './count-files.js';
import { LocalUsage } from './local-usage.js';

const kinds = ['bytes', 'files'] as const;
type Kind = (typeof kinds)[number];
type Amounts = Readonly<Record<Kind, number>>;

const each = <T>(valueOf: (kind: Kind) => T): Record<Kind, T> => ({
  bytes: valueOf('bytes'),
  files: valueOf('files'),
});
const nothing: Amounts = each(() => 0);
const inUse = ({ counted, added }: Usage): number => (counted ?? 0) + added;
const sum = (one: Amounts, other: Amounts): Amounts => each((kind) => one[kind] + other[kind]);

/** What one upload has told of itself so far, and to whom. */
interface Intake {
  told: Amounts;
  epochs: Amounts;
  isShared: boolean;
}

const newIntake = (): Intake => ({ told: nothing, epochs: nothing, isShared: true });
const nameOf = (kind: Kind, tenant: string): string => `${kind === 'bytes' ? 'files' : 'file-count'}:${tenant}`;

/** For calls that only tell something: they never begin a count. */
const noRecountMs = Number.MAX_SAFE_INTEGER;

const usedUp: Record<Kind, (others: number, limit: number) => EyrieError> = {
  bytes: (others, limit) =>
    new EyrieError(
      'insufficient_quota',
      `Files take ${others} of ${limit} bytes already. Delete files that are not needed any more.`,
      { bound: 'filesBytesDefault' },
    ),
  files: (others, limit) =>
    new EyrieError(
      'insufficient_quota',
      `There are ${others} files, results and open uploads among them; ${limit} are allowed. Delete files that are not needed any more (DELETE /v1/files/{file_id}), or let them expire ('expires_after', 'output_expires_after').`,
      { bound: 'filesPerTenant' },
    ),
};

/**
 * How many files a tenant may still store, and of how many bytes. The store is the truth: what is there is counted once a minute, by one process
 * for the whole installation, and what came in since is added to it through Redis as it comes. An upload reports it in steps, and all
 * of it again when a count has begun since, which could not see it; it ends only if all of it fits. While Redis is away each
 * process counts for itself, against the whole quota, and learns of what came in through others with its next count.
 */
export class FilesQuota {
  readonly #world: Pick<World, 'store' | 'tenants' | 'quickShared'>;
  readonly #local: LocalUsage;
  /** Counts under way in this process, by what they are for. */
  readonly #counts = new Map<string, Promise<Amounts>>();

  constructor(world: Pick<World, 'store' | 'clock' | 'tenants' | 'quickShared'>) {
    this.#world = world;
    this.#local = new LocalUsage(world.clock);
  }

  /** Throws `insufficient_quota` when a file of so many bytes more would be too much. */
  async check(tenant: string, bytes: number): Promise<void> {
    const limits = this.#limitsOf(tenant);
    if (!limits) return;
    const used = await this.#tell(tenant, newIntake(), nothing);
    const more = { bytes, files: 1 };
    for (const kind of kinds) if (used[kind] + more[kind] > limits[kind]) throw usedUp[kind](used[kind], limits[kind]);
  }

  /**
   * Stores content that is counted while it passes, as a file or as a part of one. Throws `insufficient_quota` before it or in its
   * middle; when it was not stored, for whatever reason, none of it counts.
   */
  async metered<T>(
    tenant: string,
    as: 'file' | 'part',
    content: AsyncIterable<Uint8Array>,
    store: (content: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const limits = this.#limitsOf(tenant);
    if (!limits) return store(content);
    const intake = newIntake();
    return this.#holding(tenant, intake, async () => {
      const { bytes } = await this.#take(tenant, limits, intake, { bytes: 0, files: as === 'file' ? 1 : 0 });
      if (bytes < 1) throw usedUp.bytes(limits.bytes - bytes, limits.bytes);
      return store(this.#counted(tenant, limits, intake, content));
    });
  }

  /** Stores a file of so many bytes, or begins what becomes one, with the same rules. */
  async taking<T>(tenant: string, bytes: number, store: () => Promise<T>): Promise<T> {
    const limits = this.#limitsOf(tenant);
    if (!limits) return store();
    const intake = newIntake();
    return this.#holding(tenant, intake, async () => {
      await this.#take(tenant, limits, intake, { bytes, files: 1 });
      return store();
    });
  }

  #limitsOf(tenant: string): Amounts | null {
    const { filesBytes, files } = this.#world.tenants.quotas(tenant);
    return filesBytes === null && files === null ? null : { bytes: filesBytes ?? Infinity, files: files ?? Infinity };
  }

  async #holding<T>(tenant: string, intake: Intake, step: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await step();
    } catch (error) {
      await this.#change(
        tenant,
        intake,
        each((kind) => -intake.told[kind]),
        noRecountMs,
      );
      throw error;
    }
    // A count may have begun before it lay in the store, and behind the last that was told of it.
    await this.#change(tenant, intake, nothing, noRecountMs);
    return result;
  }

  async *#counted(
    tenant: string,
    limits: Amounts,
    intake: Intake,
    content: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    let untold = 0;
    let room = 0;
    for await (const chunk of content) {
      untold += chunk.length;
      if (untold > room || untold >= bounds.filesToldBytes) {
        room = (await this.#take(tenant, limits, intake, { bytes: untold, files: 0 })).bytes;
        untold = 0;
      }
      yield chunk;
    }
    if (untold > 0) await this.#take(tenant, limits, intake, { bytes: untold, files: 0 });
  }

  /** Tells of what has come in. Returns how much more there is room for; throws when this was too much. */
  async #take(tenant: string, limits: Amounts, intake: Intake, amounts: Amounts): Promise<Amounts> {
    const used = await this.#tell(tenant, intake, amounts);
    for (const kind of kinds)
      // What brings none is not refused for them: a part of an upload makes no file.
      if (used[kind] > limits[kind] && intake.told[kind] > 0)
        throw usedUp[kind](used[kind] - intake.told[kind], limits[kind]);
    return each((kind) => limits[kind] - used[kind]);
  }

  /** Tells of what has come in, and gives what is in use, with this. */
  async #tell(tenant: string, intake: Intake, amounts: Amounts): Promise<Amounts> {
    let usages = await this.#change(tenant, intake, amounts, bounds.filesCountedMs);
    const isDue = (): boolean => kinds.some((kind) => usages[kind].countAs !== null);
    // One look at the store counts both: else they would be due at different times for good.
    if (isDue() && !kinds.every((kind) => usages[kind].countAs !== null)) {
      const before = usages;
      const now = await this.#change(tenant, intake, nothing, bounds.filesCountedMs / 2);
      usages = each((kind) => ({ ...now[kind], countAs: now[kind].countAs ?? before[kind].countAs }));
    }
    return isDue() ? this.#count(tenant, usages, intake.isShared) : each((kind) => inUse(usages[kind]));
  }

  async #change(tenant: string, intake: Intake, amounts: Amounts, recountMs: number): Promise<Record<Kind, Usage>> {
    // Where nothing was told before, all of it is.
    const changeFor = (kind: Kind, isShared: boolean) => ({
      amount: amounts[kind],
      before: intake.told[kind],
      epoch: intake.isShared === isShared ? intake.epochs[kind] : 0,
    });
    const shared = await this.#world.quickShared.ask(async (state) => {
      const [bytes, files] = await Promise.all([
        state.changeUsage(nameOf('bytes', tenant), changeFor('bytes', true), recountMs),
        state.changeUsage(nameOf('files', tenant), changeFor('files', true), recountMs),
      ]);
      return { bytes, files };
    });
    const usages =
      shared ?? each((kind) => this.#local.change(nameOf(kind, tenant), changeFor(kind, false), recountMs));
    intake.told = sum(intake.told, amounts);
    intake.epochs = each((kind) => usages[kind].epoch);
    intake.isShared = shared !== null;
    return usages;
  }

  #count(tenant: string, usages: Readonly<Record<Kind, Usage>>, isShared: boolean): Promise<Amounts> {
    const id = [tenant, isShared, ...kinds.map((kind) => usages[kind].countAs)].join(' ');
    const underWay = this.#counts.get(id);
    if (underWay) return underWay;
    const count = this.#countNow(tenant, usages, isShared).finally(() => this.#counts.delete(id));
    this.#counts.set(id, count);
    return count;
  }

  async #countNow(tenant: string, usages: Readonly<Record<Kind, Usage>>, isShared: boolean): Promise<Amounts> {
    const found = await countFiles(this.#world.store, tenant);
    const settle = async (kind: Kind): Promise<number> => {
      const { countAs, added } = usages[kind];
      if (countAs === null) return inUse(usages[kind]);
      const name = nameOf(kind, tenant);
      const usage = isShared
        ? await this.#world.quickShared.ask((shared) => shared.settleUsage(name, countAs, found[kind]))
        : this.#local.settle(name, countAs, found[kind]);
      return (usage?.counted ?? found[kind]) + (usage?.added ?? added);
    };
    const [bytes, files] = await Promise.all([settle('bytes'), settle('files')]);
    return { bytes, files };
  }
}
