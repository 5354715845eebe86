import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/ports/object-store.js';

export interface StoreHarness {
  readonly store: ObjectStore;
  /** Other clients of the same store, as other processes have them. */
  another(): Promise<ObjectStore>;
  close(): Promise<void>;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function* chunks(...parts: readonly (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield part;
  }
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

async function allKeys(store: ObjectStore, prefix: string, limit?: number): Promise<string[]> {
  const keys: string[] = [];
  let after: string | null = '';
  while (after !== null) {
    const page: Awaited<ReturnType<ObjectStore['list']>> = await store.list(prefix, {
      after,
      ...(limit === undefined ? {} : { limit }),
    });
    expect(page.objects.length).toBeLessThanOrEqual(limit ?? 1000);
    keys.push(...page.objects.map(({ key }) => key));
    after = page.next;
  }
  return keys;
}

export interface StoreTraits {
  /** Rounds of the race of 16 writers. */
  readonly raceRounds: number;
  /** A stream long enough to need several parts. */
  readonly longStreamBytes: number;
}

export function describeObjectStore(
  name: string,
  { raceRounds, longStreamBytes }: StoreTraits,
  open: () => Promise<StoreHarness>,
): void {
  describe(`${name} as ObjectStore`, () => {
    let harness: StoreHarness;
    let store: ObjectStore;
    let tests = 0;
    /** Each test has keys of its own. */
    const area = (): string => `t/contract/${tests++}`;

    beforeAll(async () => {
      harness = await open();
      store = harness.store;
    });
    afterAll(() => harness.close());

    it('gives back what was put, with its size and time', async () => {
      const key = `${area()}/a.json`;
      const before = Date.now();
      const { etag } = await store.put(key, utf8('{"a":1}'));
      const got = await store.get(key);
      expect(got && textOf(got.bytes)).toBe('{"a":1}');
      expect(got?.info).toMatchObject({ key, bytes: 7, etag });
      expect(await store.head(key)).toEqual(got?.info);
      // S3 times are whole seconds, and its clock may differ a little.
      expect(Math.abs((got?.info.modifiedMs ?? 0) - before)).toBeLessThan(10_000);
    });

    it('knows nothing of an absent object', async () => {
      const key = `${area()}/none`;
      expect(await store.get(key)).toBeNull();
      expect(await store.getStream(key)).toBeNull();
      expect(await store.head(key)).toBeNull();
      await store.delete(key);
    });

    it('replaces by put, with a new ETag each time, also for equal lengths and equal bytes in between', async () => {
      const key = `${area()}/a`;
      const etags = new Set<string>();
      for (const text of ['one', 'two', 'six', 'ten']) etags.add((await store.put(key, utf8(text))).etag);
      expect(etags.size).toBe(4);
      expect(textOf((await store.get(key))?.bytes ?? utf8(''))).toBe('ten');
    });

    it('creates only where nothing is', async () => {
      const key = `${area()}/commit.json`;
      const first = await store.create(key, utf8('mine'));
      expect(first.created).toBe(true);
      expect(await store.create(key, utf8('other'))).toEqual({ created: false });
      expect(textOf((await store.get(key))?.bytes ?? utf8(''))).toBe('mine');
      await store.delete(key);
      expect((await store.create(key, utf8('other'))).created).toBe(true);
    });

    it('tells a second call that it was not the first, also when it brings the same bytes or none', async () => {
      const prefix = area();
      for (const text of ['mine', '']) {
        const key = `${prefix}/commit-${text}.json`;
        expect((await store.create(key, utf8(text))).created).toBe(true);
        expect(await store.create(key, utf8(text))).toEqual({ created: false });
        expect(await (await harness.another()).create(key, utf8(text))).toEqual({ created: false });
        expect(textOf((await store.get(key))?.bytes ?? utf8('none'))).toBe(text);
      }
    });

    it(`lets exactly one of 16 writers of the same bytes create an object, ${raceRounds} times`, async () => {
      const clients = [store, ...(await Promise.all(Array.from({ length: 3 }, () => harness.another())))];
      const prefix = area();
      for (let round = 0; round < raceRounds; round++) {
        const key = `${prefix}/same/${round}.json`;
        const results = await Promise.all(
          Array.from({ length: 16 }, (_, i) => (clients[i % 4] ?? store).create(key, utf8('the same'))),
        );
        expect(results.filter(({ created }) => created)).toEqual([
          { created: true, etag: (await store.head(key))?.etag },
        ]);
      }
    });

    it(`lets exactly one of 16 writers create an object, ${raceRounds} times`, async () => {
      const clients = [store, ...(await Promise.all(Array.from({ length: 3 }, () => harness.another())))];
      const prefix = area();
      for (let round = 0; round < raceRounds; round++) {
        const key = `${prefix}/race/${round}.json`;
        const results = await Promise.all(
          Array.from({ length: 16 }, (_, i) => (clients[i % 4] ?? store).create(key, utf8(`writer ${i}`))),
        );
        const winners = results.flatMap(({ created }, i) => (created ? [i] : []));
        expect(winners).toHaveLength(1);
        expect(textOf((await store.get(key))?.bytes ?? utf8(''))).toBe(`writer ${winners[0]}`);
      }
    });

    it('streams in and out, with length and SHA-256', async () => {
      const key = `${area()}/stream`;
      const bytes = randomBytes(longStreamBytes);
      const parts: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += 700_001) parts.push(bytes.subarray(at, at + 700_001));
      const written = await store.putStream(key, chunks(...parts));
      expect(written.bytes).toBe(bytes.length);
      expect(written.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
      const got = await store.getStream(key);
      expect(got?.info).toMatchObject({ bytes: bytes.length, etag: written.etag });
      expect(Buffer.compare(await collect(got?.body ?? chunks()), bytes)).toBe(0);
    });

    it('streams an empty object, and one in a stream of empty chunks', async () => {
      const prefix = area();
      expect((await store.putStream(`${prefix}/empty`, chunks())).bytes).toBe(0);
      expect((await store.head(`${prefix}/empty`))?.bytes).toBe(0);
      await store.putStream(`${prefix}/sparse`, chunks(utf8(''), utf8('x'), utf8(''), utf8('y')));
      expect(textOf((await store.get(`${prefix}/sparse`))?.bytes ?? utf8(''))).toBe('xy');
    });

    it('shows nothing of a stream that failed, and throws its error on', async () => {
      const prefix = area();
      const failure = new Error('the client went away');
      const big = randomBytes(longStreamBytes / 2);
      await expect(store.putStream(`${prefix}/new`, chunks(big, failure))).rejects.toBe(failure);
      expect(await store.head(`${prefix}/new`)).toBeNull();
      await store.put(`${prefix}/old`, utf8('kept'));
      await expect(store.putStream(`${prefix}/old`, chunks(big, failure))).rejects.toBe(failure);
      expect(textOf((await store.get(`${prefix}/old`))?.bytes ?? utf8(''))).toBe('kept');
      expect(await allKeys(store, prefix)).toEqual([`${prefix}/old`]);
    });

    it('shows nothing of a stream that has not ended', async () => {
      const key = `${area()}/slow`;
      let seen: unknown = 'not looked';
      const source = async function* (): AsyncGenerator<Uint8Array> {
        yield randomBytes(longStreamBytes / 2);
        seen = await store.head(key);
        yield utf8('end');
      };
      await store.putStream(key, source());
      expect(seen).toBeNull();
      expect((await store.head(key))?.bytes).toBe(longStreamBytes / 2 + 3);
    });

    it('reads half-open ranges, cut to the object', async () => {
      const key = `${area()}/ranges`;
      await store.put(key, utf8('0123456789'));
      const range = async (start: number, end: number): Promise<string> =>
        textOf((await store.get(key, { range: { start, end } }))?.bytes ?? utf8('none'));
      expect(await range(0, 10)).toBe('0123456789');
      expect(await range(3, 5)).toBe('34');
      expect(await range(9, 10)).toBe('9');
      expect(await range(8, 99)).toBe('89');
      expect(await range(4, 4)).toBe('');
      expect(await range(10, 20)).toBe('');
      const streamed = await store.getStream(key, { range: { start: 2, end: 7 } });
      expect(textOf(await collect(streamed?.body ?? chunks()))).toBe('23456');
      // The info is that of the whole object.
      expect(streamed?.info.bytes).toBe(10);
    });

    it('throws input_changed when the ETag is another one', async () => {
      const key = `${area()}/input`;
      const { etag } = await store.put(key, utf8('first'));
      expect((await store.get(key, { ifMatch: etag, range: { start: 0, end: 2 } }))?.bytes.length).toBe(2);
      await store.put(key, utf8('other'));
      await expect(store.get(key, { ifMatch: etag })).rejects.toMatchObject({ code: 'input_changed' });
      await expect(store.getStream(key, { ifMatch: etag, range: { start: 0, end: 2 } })).rejects.toMatchObject({
        code: 'input_changed',
      });
      await store.delete(key);
      expect(await store.get(key, { ifMatch: etag })).toBeNull();
    });

    it('can leave a body unread half-way, many times', async () => {
      const key = `${area()}/big`;
      await store.put(key, randomBytes(1_000_000));
      for (let i = 0; i < 60; i++) {
        const got = await store.getStream(key);
        for await (const chunk of got?.body ?? chunks()) {
          expect(chunk.length).toBeGreaterThan(0);
          break;
        }
      }
      expect((await store.head(key))?.bytes).toBe(1_000_000);
    });

    it('lists in order of key across folders, page by page', async () => {
      const prefix = area();
      // '-' and '.' sort before '/', digits and letters behind it.
      const names = [
        'a',
        'a-b',
        'a.b',
        'a0',
        'b/a/c',
        'b/a-c',
        'b/a.c',
        'b/a0',
        'b-',
        'B/x',
        'b/b/1',
        'b/b/10',
        'b/b/2',
        'z',
      ];
      const keys = names.map((segment) => `${prefix}/${segment}`);
      for (const key of keys) await store.put(key, utf8(key));
      const sorted = keys.toSorted((a, b) => (a < b ? -1 : 1));
      for (const limit of [1, 2, 3, 5, 1000]) expect(await allKeys(store, `${prefix}/`, limit)).toEqual(sorted);
      expect(await allKeys(store, `${prefix}/b`)).toEqual(sorted.filter((key) => key.startsWith(`${prefix}/b`)));
      expect(await allKeys(store, `${prefix}/b/b/1`)).toEqual([`${prefix}/b/b/1`, `${prefix}/b/b/10`]);
      expect(await allKeys(store, `${prefix}/none/`)).toEqual([]);
      const page = await store.list(`${prefix}/`, { after: `${prefix}/b/a`, limit: 2 });
      expect(page.objects.map(({ key }) => key)).toEqual([`${prefix}/b/a-c`, `${prefix}/b/a.c`]);
      expect(page.objects[0]).toMatchObject({ bytes: `${prefix}/b/a-c`.length });
      expect(page.objects[0]).toEqual(await store.head(`${prefix}/b/a-c`));
      expect(await store.list(`${prefix}/`, { after: `${prefix}/zz` })).toEqual({ objects: [], next: null });
    });

    it('lists as a sorted set of strings would, for any keys', async () => {
      const root = area();
      let run = 0;
      const segment = fc.stringMatching(/^[ab.\-0_]{1,3}$/).filter((text) => text !== '.' && text !== '..');
      const key = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(key, { maxLength: 12 }),
          key,
          fc.integer({ min: 1, max: 4 }),
          async (all, after, limit) => {
            // A key may not be a folder of another.
            const keys = all.filter((one) => !all.some((other) => other.startsWith(`${one}/`)));
            const prefix = `${root}/${run++}/`;
            await Promise.all(keys.map((one) => store.put(prefix + one, utf8(one))));
            const sorted = keys.map((one) => prefix + one).sort((a, b) => (a < b ? -1 : 1));
            expect(await allKeys(store, prefix, limit)).toEqual(sorted);
            const behind = sorted.filter((one) => one > prefix + after);
            const page = await store.list(prefix, { after: prefix + after, limit });
            expect(page.objects.map((info) => info.key)).toEqual(behind.slice(0, limit));
            expect(page.next).toBe(behind.length > limit ? behind[limit - 1] : null);
          },
        ),
        { numRuns: 30, seed: 7 },
      );
    });

    it('shows a write and a delete in the next listing', async () => {
      const prefix = `${area()}/`;
      for (let i = 0; i < 20; i++) {
        await store.put(`${prefix}${i}`, utf8('x'));
        expect((await store.list(prefix)).objects).toHaveLength(i + 1);
      }
      await store.delete(`${prefix}7`);
      expect((await store.list(prefix)).objects.map(({ key }) => key)).not.toContain(`${prefix}7`);
    });

    it('deletes many at once, in whatever folders, and minds none that is not there', async () => {
      const prefix = area();
      const keys = Array.from({ length: 1100 }, (_, n) => `${prefix}/${n % 7}/${String(n).padStart(4, '0')}`);
      for (let at = 0; at < keys.length; at += 50)
        await Promise.all(keys.slice(at, at + 50).map((key) => store.put(key, utf8('x'))));
      const stays = keys.filter((_, n) => n % 100 === 99);
      await store.deleteMany([...keys.filter((key) => !stays.includes(key)), `${prefix}/none`, `${prefix}/9/none`]);
      expect(await allKeys(store, `${prefix}/`)).toEqual(stays.toSorted());
      await store.deleteMany([]);
      await store.deleteMany(stays.slice(0, 1));
      expect(await allKeys(store, `${prefix}/`)).toEqual(stays.slice(1).toSorted());
      await expect(store.deleteMany([stays[1] ?? '', '../a'])).rejects.toMatchObject({ code: 'invalid_value' });
      const odd = ['a b.jsonl', 'x+y=z&q?#%20.jsonl', '<&"\'>.json', 'Größe.jsonl'].map(
        (one) => `${prefix}/odd/${one}`,
      );
      for (const key of odd) await store.put(key, utf8('x'));
      await store.deleteMany(odd);
      expect(await allKeys(store, `${prefix}/odd/`)).toEqual([]);
    });

    it('takes keys with spaces, non-ASCII letters and signs, as users name their files', async () => {
      const prefix = area();
      const keys = ['a b.jsonl', 'Größe.jsonl', '数据 (1).jsonl', 'x+y=z&q?#%20.jsonl', '😀'].map(
        (one) => `${prefix}/${one}`,
      );
      for (const key of keys) await store.put(key, utf8(key));
      for (const key of keys) expect(textOf((await store.get(key))?.bytes ?? utf8(''))).toBe(key);
      expect(await allKeys(store, `${prefix}/`)).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)));
    });

    it.each(['', '/a', 'a//b', 'a/', '../a', 'a/../../b', 'a/./b', '..'])('refuses the key %j', async (key) => {
      const refused = { code: 'invalid_value', param: 'key' };
      await expect(store.put(key, utf8('x'))).rejects.toMatchObject(refused);
      await expect(store.get(key)).rejects.toMatchObject(refused);
    });

    it.each([0, 1001, 1.5])('refuses the page size %d', async (limit) => {
      await expect(store.list('t/', { limit })).rejects.toMatchObject({ code: 'invalid_value', param: 'limit' });
    });
  });
}
