import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ObjectInfo } from '../../ports/object-store.js';
import { isAbsent } from './file-body.js';
import { toInfo } from './file-info.js';
import { tempFolderName, toListingStart } from './key-path.js';

const statsAtOnce = 16;
/** Folders above this size are remembered between pages: reading 100,000 names again for each page of 1000 would be quadratic. */
const cachedEntriesMin = 1000;
const cachedFoldersMax = 8;
/** A folder changed this shortly before it was read may change again without its time showing it. */
const racyMs = 100;

interface Snapshot {
  readonly mtimeNs: bigint;
  /** Names in key order; folders end in '/'. */
  readonly names: readonly string[];
}

/** Index of the first name that sorts at or behind `bound`. */
function lowerBound(names: readonly string[], bound: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? '') < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Walks the files below a folder in ascending order of key. */
export class FolderLister {
  readonly #root: string;
  readonly #cache = new Map<string, Snapshot>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Up to `limit` objects whose keys start with `prefix` and sort behind `after`. */
  async list(prefix: string, after: string, limit: number): Promise<ObjectInfo[]> {
    const start = toListingStart(this.#root, prefix);
    const objects: ObjectInfo[] = [];
    if (!start) return objects;
    const keys = this.#walk(start.folder, start.folderKey, prefix, after);
    while (objects.length < limit) {
      const chunk: string[] = [];
      while (chunk.length < Math.min(statsAtOnce, limit - objects.length)) {
        const { value, done } = await keys.next();
        if (done) break;
        chunk.push(value);
      }
      if (chunk.length === 0) break;
      for (const info of await Promise.all(chunk.map((key) => this.#infoOf(key)))) if (info) objects.push(info);
    }
    return objects;
  }

  async #infoOf(key: string): Promise<ObjectInfo | null> {
    try {
      const stats = await lstat(path.join(this.#root, key), { bigint: true });
      return stats.isFile() ? toInfo(key, stats) : null;
    } catch (error) {
      if (isAbsent(error)) return null; // deleted since its folder was read
      throw error;
    }
  }

  async *#walk(folder: string, folderKey: string, prefix: string, after: string): AsyncGenerator<string, undefined> {
    const names = await this.#names(folder, folderKey);
    // Only names that can hold or be a key at or behind both bounds.
    const bound = after > prefix ? after : prefix;
    const rest = bound.startsWith(folderKey) ? bound.slice(folderKey.length) : '';
    const slash = rest.indexOf('/');
    for (let i = lowerBound(names, slash < 0 ? rest : rest.slice(0, slash + 1)); i < names.length; i++) {
      const key = folderKey + (names[i] ?? '');
      if (!key.startsWith(prefix)) {
        if (key > prefix) return undefined;
        continue;
      }
      if (key.endsWith('/')) {
        if (key > after || after.startsWith(key)) yield* this.#walk(path.join(this.#root, key), key, prefix, after);
      } else if (key > after) yield key;
    }
    return undefined;
  }

  async #names(folder: string, folderKey: string): Promise<readonly string[]> {
    try {
      const takenMs = Date.now();
      const { mtimeNs } = await stat(folder, { bigint: true });
      const cached = this.#cache.get(folder);
      if (cached?.mtimeNs === mtimeNs) return cached.names;
      const names: string[] = [];
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        if (folderKey === '' && entry.name === tempFolderName) continue;
        if (entry.isFile()) names.push(entry.name);
        else if (entry.isDirectory()) names.push(`${entry.name}/`);
      }
      // 'a/' sorts against 'a-b' and 'a.b' as the keys below it do.
      names.sort((a, b) => (a < b ? -1 : 1));
      this.#remember(folder, { mtimeNs, names }, takenMs);
      return names;
    } catch (error) {
      if (isAbsent(error)) return [];
      throw error;
    }
  }

  #remember(folder: string, snapshot: Snapshot, takenMs: number): void {
    this.#cache.delete(folder);
    if (snapshot.names.length < cachedEntriesMin || takenMs - Number(snapshot.mtimeNs / 1_000_000n) < racyMs) return;
    const [oldest] = this.#cache.keys();
    if (this.#cache.size >= cachedFoldersMax && oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(folder, snapshot);
  }
}
