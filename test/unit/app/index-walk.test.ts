import { expect, test } from 'vitest';
import { readIndex, type ListOrder } from '../../../src/app/index-walk.js';
import { bounds } from '../../../src/domain/bounds.js';
import { invertedTime } from '../../../src/domain/object-keys.js';
import type { ListPage } from '../../../src/ports/object-store.js';

const prefix = 't/acme/idx/f/';

/** A store that only lists, entries of so many bytes under each key. */
function indexOf(keys: readonly string[], bytesOf: (key: string) => number = () => 0) {
  const sorted = keys.toSorted();
  const store = {
    lists: 0,
    list: (under: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> => {
      const { after = '', limit = bounds.storeListPageMax } = options;
      expect(under).toBe(prefix);
      store.lists++;
      const from = sorted.findIndex((key) => key > after);
      const page = from < 0 ? [] : sorted.slice(from, from + limit);
      const isLast = from < 0 || from + limit >= sorted.length;
      return Promise.resolve({
        objects: page.map((key) => ({ key, bytes: bytesOf(key), etag: '', modifiedMs: 0 })),
        next: isLast ? null : (page.at(-1) ?? null),
      });
    },
  };
  return store;
}

const entry = (ms: number, n: number): string => `${prefix}${invertedTime(ms)}-file-${String(n).padStart(6, '0')}`;
const isThere = (key: string) => Promise.resolve(key);

/** All pages, one after the other. */
async function walk(store: ReturnType<typeof indexOf>, order: ListOrder, limit: number): Promise<string[]> {
  const seen: string[] = [];
  for (let after: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof readIndex<string>>> = await readIndex(
      store,
      prefix,
      { after, limit, order },
      isThere,
    );
    seen.push(...page.found);
    if (!page.hasMore) return seen;
    after = page.found.at(-1) ?? null;
  }
}

const startMs = 1_790_000_000_000;

test.each([
  ['none', () => [] as number[]],
  ['one', () => [startMs]],
  ['one at each end of time', () => [0, 9_999_999_999_999]],
  ['a burst', () => Array.from({ length: 3500 }, (_, n) => startMs + n)],
  ['many at the same time', () => Array.from({ length: 3500 }, (_, n) => startMs + Math.floor(n / 3000))],
  [
    'some now and then, and bursts',
    () =>
      Array.from({ length: 60 }, (_, n) => startMs + n * 86_400_000 * n).concat(Array<number>(1500).fill(startMs + 7)),
  ],
])('each entry is shown once in both orders: %s', async (_, timesOf) => {
  const times = timesOf();
  const keys = times.map(entry);
  const newestFirst = keys.toSorted();
  for (const limit of [7, 1000]) {
    if (limit === 7 && keys.length > 2000) continue;
    expect(await walk(indexOf(keys), 'desc', limit)).toEqual(newestFirst);
    expect(await walk(indexOf(keys), 'asc', limit)).toEqual(newestFirst.toReversed());
  }
});

test('the oldest of 100,000 entries are found without reading the newer ones', async () => {
  const keys = Array.from({ length: 100_000 }, (_, n) => entry(startMs + n * 10, n));
  const store = indexOf(keys);
  const first = await readIndex(store, prefix, { after: null, limit: 100, order: 'asc' }, isThere);
  expect(first.found).toEqual(keys.slice(0, 100));
  expect(store.lists).toBeLessThan(45);
  store.lists = 0;
  const next = await readIndex(store, prefix, { after: keys[99] ?? '', limit: 100, order: 'asc' }, isThere);
  expect(next.found).toEqual(keys.slice(100, 200));
  expect(store.lists).toBeLessThan(20);
});

test.each(['asc', 'desc'] as const)('a page reads so many entries at most, and the next goes on: %s', async (order) => {
  const keys = Array.from({ length: 5000 }, (_, n) => entry(startMs + n, n));
  const wanted = order === 'asc' ? (keys.at(-1) ?? '') : (keys[0] ?? '');
  const store = indexOf(keys);
  let [pages, reads] = [0, 0];
  const find = (key: string) => {
    reads++;
    return Promise.resolve(key === wanted ? key : null);
  };
  for (let after: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof readIndex<string>>> = await readIndex(
      store,
      prefix,
      { after, limit: 1, order },
      find,
    );
    pages++;
    expect(reads).toBeLessThanOrEqual(bounds.listReadsMax);
    reads = 0;
    if (!page.hasMore) {
      expect(page.found).toEqual([wanted]);
      break;
    }
    expect(page).toMatchObject({ found: [], last: expect.stringContaining(prefix) as string });
    after = page.last;
  }
  expect(pages).toBe(3);
});

test('entries that a list shows to be others cost no read, and no more of them are passed over than an answer may', async () => {
  const keys = Array.from({ length: bounds.listPassedMax + 10 }, (_, n) => entry(startMs - n, n));
  const wanted = keys.at(-1) ?? '';
  const store = indexOf(keys, (key) => (key === wanted ? 12 : 5));
  const reads: string[] = [];
  const read = (key: string) => {
    reads.push(key);
    return Promise.resolve(key);
  };
  const page = (after: string | null) =>
    readIndex(store, prefix, { after, limit: 1, order: 'desc' }, read, ({ bytes }) => bytes === 12);
  const first = await page(null);
  expect(first).toEqual({ found: [], hasMore: true, last: keys[bounds.listPassedMax - 1] });
  expect(store.lists).toBeLessThanOrEqual(bounds.listPassedMax / bounds.storeListPageMax + 1);
  expect(await page(first.last)).toEqual({ found: [wanted], hasMore: false, last: null });
  expect(reads).toEqual([wanted]);
});
