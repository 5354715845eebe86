import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, realpath, statfs, unlink } from 'node:fs/promises';
import path from 'node:path';
import { bounds } from '../../domain/bounds.js';
import { errorCode, EyrieError } from '../../domain/errors.js';
import type {
  CreateResult,
  GetOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StreamedObject,
  WriteOptions,
} from '../../ports/object-store.js';
import { isAbsent, OpenObject } from './file-body.js';
import { toInfo } from './file-info.js';
import { FolderTree } from './folder-tree.js';
import { errnoOf, fromReadError, mapped } from './fs-error.js';
import { spareFolderName, tempFolderName, toPath } from './key-path.js';
import { FolderLister } from './list-folder.js';
import { SpareFiles } from './spare-files.js';
import { removeAbandoned, TempFile } from './temp-file.js';

/**
 * What the service keeps is for the user that it runs as, whatever the umask was when it was made. The folder itself, and those in
 * which users put files and find results, are theirs to open to others.
 */
async function closeToOthers(root: string): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === 'inbox' || entry.name === 'outbox') continue;
    // EPERM: another user's folder, which is that user's to close.
    await chmod(path.join(root, entry.name), 0o700).catch((error: unknown) => {
      if (errnoOf(error) !== 'EPERM' && errnoOf(error) !== 'ENOENT') throw error;
    });
  }
}

/** Files removed at once. */
const deletesMax = 16;

/**
 * A folder as object store, for one machine. Objects are plain files at root + key. A write goes to a private temporary file, is
 * fsynced, and then becomes visible by one link (`create`) or one rename (`put`), followed by an fsync of its folder. Files that
 * users put below the root by `cp` or `mv` are objects too; symbolic links are not.
 */
export class FolderStore implements ObjectStore {
  readonly #root: string;
  readonly #tempFolder: string;
  readonly #tree: FolderTree;
  readonly #lister: FolderLister;
  readonly #spares: SpareFiles;

  private constructor(root: string) {
    this.#root = root;
    this.#tempFolder = path.join(root, tempFolderName);
    this.#tree = new FolderTree(root);
    this.#lister = new FolderLister(root);
    this.#spares = new SpareFiles(path.join(root, spareFolderName));
  }

  /** Makes the folder when it is missing and removes temporary files older than an hour. */
  static async open(root: string): Promise<FolderStore> {
    return mapped('open', root, async () => {
      await mkdir(path.join(root, tempFolderName), { recursive: true, mode: 0o700 });
      const store = new FolderStore(await realpath(root));
      await closeToOthers(store.#root);
      await removeAbandoned(store.#tempFolder);
      await store.#spares.fill();
      return store;
    });
  }

  async create(key: string, bytes: Uint8Array, options: WriteOptions = {}): Promise<CreateResult> {
    const target = toPath(this.#root, key);
    return this.#writeSmall('create', key, options, async (file) => {
      await file.write(bytes);
      const { etag } = await file.seal(key);
      return (await file.linkTo(target, this.#tree)) ? { created: true, etag } : { created: false };
    });
  }

  async put(key: string, bytes: Uint8Array, options: WriteOptions = {}): Promise<{ etag: string }> {
    const target = toPath(this.#root, key);
    return this.#writeSmall('write', key, options, async (file) => {
      await file.write(bytes);
      const { etag } = await file.seal(key);
      await file.renameTo(target, this.#tree);
      return { etag };
    });
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>): Promise<StreamedObject> {
    const target = toPath(this.#root, key);
    // An error of the source is the caller's own and must not be taken for one of the disk.
    let thrown: { readonly error: unknown } | null = null;
    try {
      return await this.#write('write', key, async (file) => {
        const hash = createHash('sha256');
        const chunks = source[Symbol.asyncIterator]();
        try {
          for (;;) {
            const step = await chunks.next().catch((error: unknown) => {
              thrown = { error };
              throw error;
            });
            if (step.done) break;
            hash.update(step.value);
            await file.write(step.value);
          }
        } catch (error) {
          if (!thrown) await chunks.return?.();
          throw error;
        }
        const { etag, bytes } = await file.seal(key);
        await file.renameTo(target, this.#tree);
        return { etag, bytes, sha256: hash.digest('hex') };
      });
    } catch (error) {
      throw thrown ? (thrown as { error: unknown }).error : error;
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<{ info: ObjectInfo; bytes: Uint8Array } | null> {
    const object = await this.#open(key, options);
    return object && { info: object.info, bytes: await object.bytes() };
  }

  async getStream(key: string, options: GetOptions = {}): Promise<ObjectBody | null> {
    const object = await this.#open(key, options);
    return object && { info: object.info, body: object };
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const filePath = toPath(this.#root, key);
    return mapped('look up', key, async () => {
      try {
        const stats = await lstat(filePath, { bigint: true });
        return stats.isFile() ? toInfo(key, stats) : null;
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    });
  }

  async list(prefix: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> {
    const limit = options.limit ?? bounds.storeListPageMax;
    if (!Number.isInteger(limit) || limit < 1 || limit > bounds.storeListPageMax)
      throw new EyrieError('invalid_value', `Invalid limit ${limit}: 1 to ${bounds.storeListPageMax} is allowed.`, {
        param: 'limit',
      });
    return mapped('list', prefix, () => this.#lister.list(prefix, options.after ?? '', limit));
  }

  async delete(key: string): Promise<void> {
    await this.deleteMany([key]);
  }

  /** Each folder that lost something is synced once, whatever it lost. */
  async deleteMany(keys: readonly string[]): Promise<void> {
    const targets = keys.map((key) => ({ key, filePath: toPath(this.#root, key) }));
    const changed = new Map<string, string>();
    for (let at = 0; at < targets.length; at += deletesMax)
      await Promise.all(
        targets.slice(at, at + deletesMax).map(async ({ key, filePath }) => {
          if (await this.#unlink(key, filePath)) changed.set(path.dirname(filePath), key);
        }),
      );
    for (const [folder, key] of changed)
      await mapped('delete', key, async () => {
        await this.#tree.sync(folder).catch((error: unknown) => {
          if (!isAbsent(error)) throw error; // pruned by another delete
        });
        await this.#tree.prune(folder);
      });
    if (changed.size > 0) await this.#spares.refill();
  }

  async freeBytes(): Promise<number> {
    return mapped('look up', '', async () => {
      const { bavail, bsize } = await statfs(this.#root);
      return bavail * bsize;
    });
  }

  /** False: there was nothing. */
  async #unlink(key: string, filePath: string): Promise<boolean> {
    return mapped('delete', key, async () => {
      try {
        await unlink(filePath);
        return true;
      } catch (error) {
        if (isAbsent(error) || errnoOf(error) === 'EISDIR') return false;
        throw error;
      }
    });
  }

  async #open(key: string, options: GetOptions): Promise<OpenObject | null> {
    const filePath = toPath(this.#root, key);
    try {
      return await OpenObject.open(filePath, key, options);
    } catch (error) {
      throw fromReadError(error, key);
    }
  }

  /** A record of a removal finds its space also where no other write does. */
  async #writeSmall<T>(
    action: string,
    key: string,
    { forRemoval = false }: WriteOptions,
    step: (file: TempFile) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#write(action, key, step);
    } catch (error) {
      if (!forRemoval || errorCode(error) !== 'disk_full') throw error;
    }
    return this.#write(action, key, step, async () => {
      const file = await TempFile.openSpare(this.#tempFolder, this.#spares);
      // One more makes room for what surrounds it: the entry of a folder, or a copy where blocks are never written again.
      await (await TempFile.openSpare(this.#tempFolder, this.#spares))?.discard();
      return file ?? TempFile.open(this.#tempFolder);
    });
  }

  async #write<T>(
    action: string,
    key: string,
    step: (file: TempFile) => Promise<T>,
    open: () => Promise<TempFile> = () => TempFile.open(this.#tempFolder),
  ): Promise<T> {
    return mapped(action, key, async () => {
      const file = await open();
      try {
        return await step(file);
      } finally {
        await file.discard();
      }
    });
  }
}
