import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';
import { countFiles } from './count-files.js';
import { newIntake, StoredUsage, type Intake } from './stored-usage.js';

const usedUp = (others: number, filesBytes: number): EyrieError =>
  new EyrieError(
    'insufficient_quota',
    `Files take ${others} of ${filesBytes} bytes already. Delete files that are not needed any more.`,
    { bound: 'filesBytesDefault' },
  );

/**
 * How many bytes of files a tenant may still store, see `StoredUsage`. An upload reports what comes in in steps, and all of it again
 * when a count has begun since, which could not see it; it ends only if all of it fits. While Redis is away each process holds
 * against the whole quota what it knows.
 */
export class FilesQuota {
  readonly #tenants: World['tenants'];
  readonly #usage: StoredUsage;

  constructor(world: Pick<World, 'store' | 'clock' | 'tenants' | 'quickShared'>) {
    this.#tenants = world.tenants;
    this.#usage = new StoredUsage(world, { kind: 'files', count: (tenant) => countFiles(world.store, tenant) });
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
    return this.#tenants.quotas(tenant).filesBytes;
  }

  async #holding<T>(tenant: string, intake: Intake, step: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await step();
    } catch (error) {
      await this.#usage.note(tenant, intake, -intake.told);
      throw error;
    }
    // A count may have begun before it lay in the store, and behind the last that was told of it.
    await this.#usage.note(tenant, intake, 0);
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

  #tell(tenant: string, intake: Intake, bytes: number): Promise<number> {
    return this.#usage.tell(tenant, intake, bytes, bounds.filesCountedMs);
  }
}
