import { bounds } from '../domain/bounds.js';
import type { ObjectInfo, ObjectStore } from '../ports/object-store.js';
import { listAll } from './list-all.js';

/**
 * Walks over an index whose keys sort newest first: behind the prefix come 13 digits of time, see `invertedTime`. `after` is the key
 * of the last entry seen; it need not be there any more.
 */
export type ListOrder = 'asc' | 'desc';

type Lister = Pick<ObjectStore, 'list'>;

const timeDigits = 13;
const lastPlace = 10 ** timeDigits - 1;
/** Of the time before a cursor, so much is listed at first. */
const firstSpanMs = 3_600_000;
const spanGrowth = 16;

/**
 * The entries before `end`, newest first: those of a span of time that holds some, but no more than a page of the store; none when
 * there are none. The store lists forward only, so the length of that span is sought, by halves: some forty lists at most.
 */
async function entriesBefore(
  store: Lister,
  prefix: string,
  end: string,
  firstSpan: number,
): Promise<{ readonly entries: readonly ObjectInfo[]; readonly span: number }> {
  const endPlace = Number(end.slice(prefix.length, prefix.length + timeDigits));
  /** The longest span that is known to hold nothing, and the shortest that holds too much. */
  let empty = -1;
  let full: number | null = null;
  for (let span = firstSpan; ;) {
    const place = Math.max(0, endPlace - span);
    let page = await store.list(prefix, { after: `${prefix}${String(place).padStart(timeDigits, '0')}` });
    const entries = [...page.objects];
    const isWhole = (): boolean => page.next === null || page.next >= end;
    // So many at one and the same time are taken all together.
    if (full !== null && full - empty <= 1)
      while (!isWhole()) {
        page = await store.list(prefix, { after: page.next ?? '' });
        entries.push(...page.objects);
      }
    if (isWhole()) {
      const before = entries.filter(({ key }) => key < end);
      if (before.length > 0 || place === 0) return { entries: before, span };
      empty = span;
      // What was there has been deleted meanwhile.
      if (full !== null && full <= span) full = null;
    } else full = span;
    if (full === null) span = Math.max(1, span * spanGrowth);
    else span = full - empty <= 1 ? full : Math.floor((empty + full) / 2);
  }
}

async function* oldestFirst(store: Lister, prefix: string, after: string | null): AsyncGenerator<ObjectInfo> {
  let end = after ?? `${prefix}${lastPlace}~`;
  for (let span = firstSpanMs; ;) {
    const found = await entriesBefore(store, prefix, end, span);
    yield* found.entries.toReversed();
    const [newest] = found.entries;
    if (!newest) return;
    end = newest.key;
    span = found.span;
  }
}

/** Entries looked up at once. */
const readsMax = 32;

export interface IndexPage<T> {
  readonly found: readonly T[];
  readonly hasMore: boolean;
  /** Where the page ended before it was full although there is more: the key of the last entry it looked at. */
  readonly last: string | null;
}

/**
 * What `read` finds for the entries behind `after`, `limit` at most. Entries for which `isWanted` or `read` gives nothing are passed
 * over; the page ends early when as many have been looked at as one answer may cost.
 */
export async function readIndex<T>(
  store: Lister,
  prefix: string,
  page: { readonly after: string | null; readonly limit: number; readonly order: ListOrder },
  read: (key: string) => Promise<T | null>,
  isWanted: (entry: ObjectInfo) => boolean = () => true,
): Promise<IndexPage<T>> {
  const walk = (page.order === 'desc' ? listAll : oldestFirst)(store, prefix, page.after);
  const groupMax = Math.min(readsMax, page.limit + 1);
  const found: T[] = [];
  const look = async (group: readonly string[]): Promise<void> => {
    for (const item of await Promise.all(group.map(read))) if (item !== null) found.push(item);
  };
  let group: string[] = [];
  let [passed, reads] = [0, 0];
  let last: string | null = null;
  for await (const entry of walk) {
    if (group.length >= groupMax) {
      await look(group);
      group = [];
    }
    if (found.length > page.limit) break;
    if (reads >= bounds.listReadsMax || passed >= bounds.listPassedMax) {
      await look(group);
      if (found.length > page.limit) break;
      return { found, hasMore: true, last };
    }
    last = entry.key;
    passed++;
    if (!isWanted(entry)) continue;
    group.push(entry.key);
    reads++;
  }
  if (found.length <= page.limit) await look(group);
  return { found: found.slice(0, page.limit), hasMore: found.length > page.limit, last: null };
}
