import { toListPage, type FileObject, type ListPage } from '../../contract/file-object.js';
import type { StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { idPrefixes } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { fileIndexKey, findFile } from './find-file.js';
import { toFileObject } from './view-file.js';

type FileReader = Pick<World, 'store' | 'clock'>;

export interface FilesPage {
  readonly purpose: StoredFile['purpose'] | null;
  /** Id of the last file seen; it may have been deleted since. */
  readonly after: string | null;
  readonly limit: number;
  /** By time of creation. */
  readonly order: 'asc' | 'desc';
}

/** Files read at once. */
const readsMax = 32;

async function cursorKey(world: FileReader, tenant: string, after: string): Promise<string> {
  const key = await fileIndexKey(world, tenant, after);
  if (key === null)
    throw new EyrieError('invalid_value', `Invalid value for 'after': no file has the id '${after.slice(0, 80)}'.`, {
      param: 'after',
    });
  return key;
}

/** Index keys behind `after`, newest file first. */
async function* newestFirst(world: FileReader, tenant: string, after: string | null): AsyncGenerator<string> {
  let from = after;
  do {
    const page = await world.store.list(keys.fileIndex(tenant), from === null ? {} : { after: from });
    for (const { key } of page.objects) yield key;
    from = page.next;
  } while (from !== null);
}

/** The store lists forward only: for the oldest first, the index up to the cursor is read whole (about 100 bytes a file). */
async function* oldestFirst(world: FileReader, tenant: string, after: string | null): AsyncGenerator<string> {
  const newer: string[] = [];
  for await (const key of newestFirst(world, tenant, null)) {
    if (after !== null && key >= after) break;
    newer.push(key);
  }
  yield* newer.toReversed();
}

async function* inGroups<T>(source: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of source) {
    group.push(item);
    if (group.length === size) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}

/**
 * A page of the tenant's files. It may be shorter than `limit` although there are more, but never empty then. Throws
 * `invalid_value` for an unknown `after`.
 */
export async function listFiles(world: FileReader, tenant: string, page: FilesPage): Promise<ListPage<FileObject>> {
  const limit = Math.min(page.limit, bounds.filesPerAnswerMax);
  const after = page.after === null ? null : await cursorKey(world, tenant, page.after);
  const index = page.order === 'desc' ? newestFirst(world, tenant, after) : oldestFirst(world, tenant, after);
  const found: FileObject[] = [];
  for await (const group of inGroups(index, Math.min(readsMax, limit + 1))) {
    const ids = group.map((key) => key.slice(key.lastIndexOf(idPrefixes.file)));
    const files = await Promise.all(ids.map((id) => findFile(world, tenant, id)));
    for (const file of files)
      if (file && (page.purpose === null || file.purpose === page.purpose)) found.push(toFileObject(file));
    if (found.length > limit) break;
  }
  return toListPage(found.slice(0, limit), found.length > limit);
}
