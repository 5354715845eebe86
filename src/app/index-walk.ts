import type { ObjectStore } from '../ports/object-store.js';

/**
 * Walks over an index whose keys sort newest first. `after` is the key of the last entry seen; it need not be there any more.
 */
export type ListOrder = 'asc' | 'desc';

async function* newestFirst(store: ObjectStore, prefix: string, after: string | null): AsyncGenerator<string> {
  let from = after;
  do {
    const page = await store.list(prefix, from === null ? {} : { after: from });
    for (const { key } of page.objects) yield key;
    from = page.next;
  } while (from !== null);
}

/** The store lists forward only: for the oldest first, the index up to the cursor is read whole (about 100 bytes an entry). */
async function* oldestFirst(store: ObjectStore, prefix: string, after: string | null): AsyncGenerator<string> {
  const newer: string[] = [];
  for await (const key of newestFirst(store, prefix, null)) {
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

/** Entries looked up at once. */
const readsMax = 32;

export interface IndexPage<T> {
  readonly found: readonly T[];
  readonly hasMore: boolean;
}

/** What `read` finds for the entries behind `after`, `limit` at most; entries for which it gives null are passed over. */
export async function readIndex<T>(
  store: ObjectStore,
  prefix: string,
  page: { readonly after: string | null; readonly limit: number; readonly order: ListOrder },
  read: (key: string) => Promise<T | null>,
): Promise<IndexPage<T>> {
  const walk = page.order === 'desc' ? newestFirst : oldestFirst;
  const found: T[] = [];
  for await (const group of inGroups(walk(store, prefix, page.after), Math.min(readsMax, page.limit + 1))) {
    for (const item of await Promise.all(group.map(read))) if (item !== null) found.push(item);
    if (found.length > page.limit) break;
  }
  return { found: found.slice(0, page.limit), hasMore: found.length > page.limit };
}
