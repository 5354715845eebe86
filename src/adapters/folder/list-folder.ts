import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import type { ListPage, ObjectInfo, SkippedEntry } from '../../ports/object-store.js';
import { isAbsent } from './file-body.js';
import { toInfo } from './file-info.js';
import { FolderNames } from './folder-names.js';
import { errnoOf } from './fs-error.js';
import { keyBytesMax, reservedFolders, toListingStart } from './key-path.js';

const statsAtOnce = 16;
/** Ends of pages that are remembered, so that the next page goes on over the same names. */
const pagesKeptMax = 256;
/** Of a key that is skipped, so much is shown. */
const shownCharsMax = 300;

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

interface Asked {
  readonly prefix: string;
  readonly after: string;
  readonly visit: Visit;
  /** Names that were read at this time or later will do. */
  readonly sinceMs: number;
}

/**
 * Walks the files below a folder in ascending order of key. A page that goes on where one ended is made of the names that the earlier
 * one saw: in a folder that changes all the time, each page would else read all names anew.
 */
export class FolderLister {
  readonly #root: string;
  readonly #names = new FolderNames();
  /** When listings began, by where a page of them ended. */
  readonly #pages = new Map<string, number>();

  constructor(root: string) {
    this.#root = root;
  }

  /** One page of objects whose keys start with `prefix` and sort after `after`. */
  async list(prefix: string, after: string, limit: number): Promise<ListPage> {
    const start = toListingStart(this.#root, prefix);
    if (!start) return { objects: [], next: null };
    const visit = new Visit(prefix);
    const objects: ObjectInfo[] = [];
    const sinceMs = this.#begunMs(prefix, after);
    const found = this.#walk(start.folder, start.folderKey, { prefix, after, visit, sinceMs });
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
    const isMore = objects.length > limit;
    if (isMore) objects.pop();
    const next = isMore ? (objects.at(-1)?.key ?? null) : visit.pausedAt;
    if (next !== null) this.#noteEnd(prefix, next, sinceMs);
    return { objects, next, ...skipped };
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

  async *#walk(folder: string, folderKey: string, asked: Asked): AsyncGenerator<string, undefined> {
    const { prefix, after, visit } = asked;
    const names = await this.#namesIn(folder, folderKey, asked);
    // Only names that can hold or be a key at or behind both bounds.
    const bound = after > prefix ? after : prefix;
    const rest = bound.startsWith(folderKey) ? bound.slice(folderKey.length) : '';
    const slash = rest.indexOf('/');
    for (let i = lowerBound(names, slash < 0 ? rest : rest.slice(0, slash + 1)); i < names.length; i++) {
      if (visit.pausedAt !== null) return undefined;
      const key = folderKey + (names[i] ?? '');
      if (folderKey === '' && reservedFolders.includes(key.replace('/', ''))) continue;
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

  async #namesIn(folder: string, folderKey: string, { visit, sinceMs }: Asked): Promise<readonly string[]> {
    try {
      return await this.#names.read(folder, sinceMs);
    } catch (error) {
      if (!isAbsent(error)) visit.skip(folderKey, error);
      return [];
    }
  }

  /** When the listing began of which this page is; now, unless it goes on where an earlier page ended. */
  #begunMs(prefix: string, after: string): number {
    const now = performance.now();
    const begunMs = this.#pages.get(`${prefix}\0${after}`);
    return begunMs !== undefined && now - begunMs < bounds.listedAgeMs ? begunMs : now;
  }

  #noteEnd(prefix: string, next: string, begunMs: number): void {
    const name = `${prefix}\0${next}`;
    const latest = Math.max(begunMs, this.#pages.get(name) ?? 0);
    this.#pages.delete(name);
    this.#pages.set(name, latest);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > pagesKeptMax && oldest !== undefined) this.#pages.delete(oldest);
  }
}
