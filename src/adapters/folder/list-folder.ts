import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import type { ListPage, ObjectInfo, SkippedEntry } from '../../ports/object-store.js';
import { isAbsent } from './file-body.js';
import { toInfo } from './file-info.js';
import { errnoOf } from './fs-error.js';
import { keyBytesMax, reservedFolders, toListingStart } from './key-path.js';

const statsAtOnce = 16;
/** Folders above this size are remembered between pages: reading 100,000 names again for each page of 1000 would be quadratic. */
const cachedEntriesMin = 1000;
const cachedFoldersMax = 8;
/** A folder changed this shortly before it was read may change again without its time showing it. */
const racyMs = 100;
/** Of a key that is skipped, so much is shown. */
const shownCharsMax = 300;

interface Snapshot {
  readonly mtimeNs: bigint;
  /** Names in key order; folders end in '/'. */
  readonly names: readonly string[];
}

/** Failures that concern one file or folder, not the disk or the process. */
const skippable: Readonly<Record<string, SkippedEntry['why']>> = {
  EACCES: 'no_rights',
  EPERM: 'no_rights',
  ENAMETOOLONG: 'name_too_long',
  EIO: 'io_error',
  ESTALE: 'io_error',
};

/**
 * One page of a listing. The content of an inbox is made by users: there, what cannot be looked at is skipped, so that it keeps nobody
 * from the rest, and so many folders are entered at most, whether they hold files or not.
 */
class Visit {
  readonly isUsers: boolean;
  readonly skipped: SkippedEntry[] = [];
  /** Where the next page begins, when this one ends before all was seen. */
  pausedAt: string | null = null;
  #entered = 0;

  constructor(prefix: string) {
    this.isUsers = prefix.startsWith(keys.inboxes);
  }

  /** Throws the error on when it is not about one entry of a user. */
  skip(key: string, error: unknown): void {
    const why = this.isUsers ? skippable[errnoOf(error) ?? ''] : undefined;
    if (why === undefined) throw error;
    this.note(key, why);
  }

  note(key: string, why: SkippedEntry['why']): void {
    if (this.skipped.length < bounds.listSkippedMax)
      this.skipped.push({ key: key.length > shownCharsMax ? `${key.slice(0, shownCharsMax)}…` : key, why });
  }

  /** False: the page has entered as many folders as it may, and ends before this one. */
  enters(key: string, after: string): boolean {
    if (!this.isUsers || after.startsWith(key)) return true;
    this.#entered++;
    if (this.#entered <= bounds.listFoldersMax) return true;
    this.pausedAt = previous(key);
    return false;
  }
}

/** A text that sorts before the folder 'a/' and after all that does so: 'a-b' and 'a.b' are among it, 'a' is not a key then. */
const previous = (key: string): string => `${key.slice(0, -1)}.\uFFFF`;

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

  /** One page of objects whose keys start with `prefix` and sort after `after`. */
  async list(prefix: string, after: string, limit: number): Promise<ListPage> {
    const start = toListingStart(this.#root, prefix);
    if (!start) return { objects: [], next: null };
    const visit = new Visit(prefix);
    const objects: ObjectInfo[] = [];
    const found = this.#walk(start.folder, start.folderKey, { prefix, after, visit });
    while (objects.length <= limit && visit.pausedAt === null) {
      const chunk: string[] = [];
      while (chunk.length < Math.min(statsAtOnce, limit + 1 - objects.length)) {
        const { value, done } = await found.next();
        if (done) break;
        chunk.push(value);
      }
      if (chunk.length === 0) break;
      for (const info of await Promise.all(chunk.map((key) => this.#infoOf(key, visit)))) if (info) objects.push(info);
    }
    const skipped = visit.skipped.length > 0 ? { skipped: visit.skipped } : {};
    if (objects.length <= limit) return { objects, next: visit.pausedAt, ...skipped };
    objects.pop();
    return { objects, next: objects.at(-1)?.key ?? null, ...skipped };
  }

  async #infoOf(key: string, visit: Visit): Promise<ObjectInfo | null> {
    try {
      const stats = await lstat(path.join(this.#root, key), { bigint: true });
      return stats.isFile() ? toInfo(key, stats) : null;
    } catch (error) {
      if (!isAbsent(error)) visit.skip(key, error);
      // A name that is no UTF-8 cannot be asked for by its text; else it was deleted since its folder was read.
      else if (key.includes('\uFFFD')) visit.note(key, 'name_not_utf8');
      return null;
    }
  }

  async *#walk(
    folder: string,
    folderKey: string,
    asked: { readonly prefix: string; readonly after: string; readonly visit: Visit },
  ): AsyncGenerator<string, undefined> {
    const { prefix, after, visit } = asked;
    const names = await this.#names(folder, folderKey, visit);
    // Only names that can hold or be a key at or behind both bounds.
    const bound = after > prefix ? after : prefix;
    const rest = bound.startsWith(folderKey) ? bound.slice(folderKey.length) : '';
    const slash = rest.indexOf('/');
    for (let i = lowerBound(names, slash < 0 ? rest : rest.slice(0, slash + 1)); i < names.length; i++) {
      if (visit.pausedAt !== null) return undefined;
      const key = folderKey + (names[i] ?? '');
      if (!key.startsWith(prefix)) {
        if (key > prefix) return undefined;
        continue;
      }
      const isFolder = key.endsWith('/');
      if (!isFolder && key <= after) continue;
      if (isFolder && key <= after && !after.startsWith(key)) continue;
      if (visit.isUsers && Buffer.byteLength(key) > keyBytesMax) visit.note(key, 'name_too_long');
      else if (!isFolder) yield key;
      else if (visit.enters(key, after)) yield* this.#walk(path.join(this.#root, key), key, asked);
    }
    return undefined;
  }

  async #names(folder: string, folderKey: string, visit: Visit): Promise<readonly string[]> {
    try {
      const takenMs = Date.now();
      const { mtimeNs } = await stat(folder, { bigint: true });
      const cached = this.#cache.get(folder);
      if (cached?.mtimeNs === mtimeNs) return cached.names;
      const names: string[] = [];
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        if (folderKey === '' && reservedFolders.includes(entry.name)) continue;
        if (entry.isFile()) names.push(entry.name);
        else if (entry.isDirectory()) names.push(`${entry.name}/`);
      }
      // 'a/' sorts against 'a-b' and 'a.b' as the keys below it do.
      names.sort((a, b) => (a < b ? -1 : 1));
      this.#remember(folder, { mtimeNs, names }, takenMs);
      return names;
    } catch (error) {
      if (!isAbsent(error)) visit.skip(folderKey, error);
      return [];
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
