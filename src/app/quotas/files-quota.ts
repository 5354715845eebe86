import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';
import { countFiles } from './count-files.js';
import { StoredUsage, type Amounts as UsageAmounts, type Intake as UsageIntake } from './stored-usage.js';

const kinds = ['bytes', 'files'] as const;
type Kind = (typeof kinds)[number];
type Amounts = UsageAmounts<Kind>;
type Intake = UsageIntake<Kind>;

const nothing: Amounts = { bytes: 0, files: 0 };

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
 * How many files a tenant may still store, and of how many bytes, see `StoredUsage`: they are counted once a minute. An upload reports
 * what comes in in steps, and all of it again when a count has begun since, which could not see it; it ends only if all of it fits.
 * While Redis is away each process holds against the whole quota what it knows.
 */
export class FilesQuota {
  readonly #tenants: World['tenants'];
  readonly #usage: StoredUsage<Kind>;

  constructor(world: Pick<World, 'store' | 'clock' | 'tenants' | 'quickShared'>) {
    this.#tenants = world.tenants;
    this.#usage = new StoredUsage(world, {
      names: { bytes: 'files', files: 'file-count' },
      count: (tenant) => countFiles(world.store, tenant),
    });
  }

  /** Throws `insufficient_quota` when a file of so many bytes more would be too much. */
  async check(tenant: string, bytes: number): Promise<void> {
    const limits = this.#limitsOf(tenant);
    if (!limits) return;
    const more = { bytes, files: 1 };
    const fits = (used: Amounts): boolean => kinds.every((kind) => used[kind] + more[kind] <= limits[kind]);
    const used = await this.#usage.tell(tenant, this.#usage.newIntake(), nothing, bounds.filesCountedMs, fits);
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
    const intake = this.#usage.newIntake();
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
    const intake = this.#usage.newIntake();
    return this.#holding(tenant, intake, async () => {
      await this.#take(tenant, limits, intake, { bytes, files: 1 });
      return store();
    });
  }

  #limitsOf(tenant: string): Amounts | null {
    const { filesBytes, files } = this.#tenants.quotas(tenant);
    return filesBytes === null && files === null ? null : { bytes: filesBytes ?? Infinity, files: files ?? Infinity };
  }

  async #holding<T>(tenant: string, intake: Intake, step: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await step();
    } catch (error) {
      await this.#usage.forget(tenant, intake);
      throw error;
    }
    // A count may have begun before it lay in the store, and behind the last that was told of it.
    await this.#usage.note(tenant, intake, nothing);
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
    // What has not begun to come in needs room for a byte.
    const bytesMore = amounts.bytes === 0 ? 1 : 0;
    const hasRoom = (used: Amounts): boolean => used.bytes + bytesMore <= limits.bytes && used.files <= limits.files;
    const used = await this.#usage.tell(tenant, intake, amounts, bounds.filesCountedMs, hasRoom);
    for (const kind of kinds)
      // What brings none is not refused for them: a part of an upload makes no file.
      if (used[kind] > limits[kind] && intake.told[kind] > 0)
        throw usedUp[kind](used[kind] - intake.told[kind], limits[kind]);
    return this.#usage.each((kind) => limits[kind] - used[kind]);
  }
}
