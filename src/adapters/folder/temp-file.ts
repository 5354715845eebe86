import { randomBytes } from 'node:crypto';
import { link, lstat, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { ObjectInfo } from '../../ports/object-store.js';
import { toInfo, uniqueMtime } from './file-info.js';
import type { FolderTree } from './folder-tree.js';
import { errnoOf } from './fs-error.js';
import type { SpareFiles } from './spare-files.js';

const abandonedMs = 3_600_000;
const placeAttemptsMax = 10;

const newPath = (tempFolder: string): string =>
  path.join(tempFolder, `${process.pid}-${randomBytes(12).toString('hex')}`);

/** A file being written: it becomes an object as a whole, or never. */
export class TempFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #bytes = 0;

  private constructor(filePath: string, handle: FileHandle) {
    this.#path = filePath;
    this.#handle = handle;
  }

  static async open(tempFolder: string): Promise<TempFile> {
    const filePath = newPath(tempFolder);
    return new TempFile(filePath, await open(filePath, 'wx', 0o600));
  }

  /** Over a spare file, which needs no space for as many bytes as that has; null when there is none left. */
  static async openSpare(tempFolder: string, spares: SpareFiles): Promise<TempFile | null> {
    const filePath = newPath(tempFolder);
    return (await spares.take(filePath)) ? new TempFile(filePath, await open(filePath, 'r+')) : null;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await this.#handle.write(bytes, at)).bytesWritten;
    this.#bytes += bytes.length;
  }

  /** Ends the writing: the content is on disk afterwards. */
  async seal(key: string): Promise<ObjectInfo> {
    await this.#handle.truncate(this.#bytes);
    const time = uniqueMtime();
    await this.#handle.utimes(time, time);
    await this.#handle.sync();
    const info = toInfo(key, await this.#handle.stat({ bigint: true }));
    await this.#handle.close();
    return info;
  }

  /** Makes it the object, unless there is one: a link either wins or fails, whatever other writers do. */
  async linkTo(target: string, tree: FolderTree): Promise<boolean> {
    try {
      await this.#place(target, tree, link);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      // Our own link may be in the way: a network file system repeats a link whose answer was lost.
      const isOurs = await this.#isAt(target);
      // The winner may have been killed before it synced, and its object is about to be relied on.
      await tree.sync(path.dirname(target));
      return isOurs;
    }
  }

  async #isAt(target: string): Promise<boolean> {
    try {
      const [own, there] = await Promise.all([this.#path, target].map((name) => lstat(name, { bigint: true })));
      return own?.ino === there?.ino && own?.dev === there?.dev;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false; // it was deleted since
      throw error;
    }
  }

  /** Makes it the object in place of any other. */
  async renameTo(target: string, tree: FolderTree): Promise<void> {
    await this.#place(target, tree, rename);
  }

  async #place(target: string, tree: FolderTree, step: (from: string, to: string) => Promise<void>): Promise<void> {
    const folder = path.dirname(target);
    for (let attempt = 1; ; attempt++) {
      try {
        await step(this.#path, target);
        await tree.sync(folder);
        return;
      } catch (error) {
        // The folder is not there yet, or was pruned by a delete at this moment.
        if (errnoOf(error) !== 'ENOENT' || attempt === placeAttemptsMax) throw error;
        await tree.make(folder);
      }
    }
  }

  /** Removes the file unless it was renamed. Never fails: what is left is removed at a later start. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#path, { force: true }).catch(() => undefined);
  }
}

/** Removes files that a killed process left behind. */
export async function removeAbandoned(tempFolder: string): Promise<void> {
  for (const name of await readdir(tempFolder)) {
    const filePath = path.join(tempFolder, name);
    try {
      if (Date.now() - (await stat(filePath)).mtimeMs > abandonedMs) await rm(filePath, { force: true });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error; // ENOENT: its writer has just finished it
    }
  }
}
