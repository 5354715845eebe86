import { mkdir, open, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { errnoOf } from './fs-error.js';

const knownMax = 10_000;
/** A folder that has become empty may be removed while another is made in it: Node then fails with one of these. */
const makeAttemptsMax = 10;
const removedMeanwhile: ReadonlySet<string | null> = new Set(['ENOENT', 'ENOTDIR']);
/** Folders this near to the root stay when they are empty: users drop files into `inbox/<tenant>`. */
const keptDepth = 2;

async function fsyncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes, syncs and removes the folders that hold objects. */
export class FolderTree {
  readonly #root: string;
  /** Folders whose own entry is known to be on disk. */
  readonly #known = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  async make(folder: string): Promise<void> {
    const first = await this.#make(folder);
    if (first === undefined) return;
    for (let at = folder; at.length >= first.length; at = path.dirname(at)) this.#known.delete(at);
  }

  async #make(folder: string): Promise<string | undefined> {
    for (let attempt = 1; ; attempt++)
      try {
        return await mkdir(folder, { recursive: true, mode: 0o700 });
      } catch (error) {
        if (!removedMeanwhile.has(errnoOf(error)) || attempt === makeAttemptsMax) throw error;
      }
  }

  /**
   * Puts the entries of `folder` on disk, and the folder's own, up to the root: a folder that another process has just made may
   * not be there yet.
   */
  async sync(folder: string): Promise<void> {
    await fsyncFolder(folder);
    for (let at = folder; at !== this.#root && !this.#known.has(at); at = path.dirname(at)) {
      await fsyncFolder(path.dirname(at));
      if (this.#known.size >= knownMax) this.#known.clear();
      this.#known.add(at);
    }
  }

  /** Removes folders that have become empty, from `folder` upwards. */
  async prune(folder: string): Promise<void> {
    let at = folder;
    while (path.relative(this.#root, at).split(path.sep).length > keptDepth) {
      try {
        await rmdir(at);
      } catch (error) {
        if (errnoOf(error) === null) throw error;
        return; // not empty, or gone: both are as they should be
      }
      this.#known.delete(at);
      at = path.dirname(at);
    }
  }
}
