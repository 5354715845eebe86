import { createHash, randomBytes } from 'node:crypto';
import { toFile } from 'openai';
import { expect, test } from 'vitest';
import { storedFile, type StoredFile } from '../../../src/contract/stored-objects.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { eventually } from '../../support/eventually.js';
import { putJson, tenantA } from './fake-world.js';
import { errorOf, listening } from './listening.js';

const piece = bounds.fileChunkBytes;
const content = randomBytes(3 * piece + 12_345);

/** A stored file of several pieces, and ways to read and damage it. */
async function stored(bytes: Buffer = content) {
  const server = await listening();
  const { client, call, world } = server;
  const { id } = await client.files.create({ file: await toFile(bytes, 'in.jsonl'), purpose: 'batch' });
  const key = keys.fileContent(tenantA, id);
  const record = (): StoredFile => storedFile.parse(JSON.parse(world.store.text(keys.file(tenantA, id)) ?? ''));
  const read = (range?: string): Promise<Response> =>
    call(`/v1/files/${id}/content`, range === undefined ? {} : { headers: { range } });
  const replace = (now: Buffer) => world.store.put(key, now);
  return { ...server, id, read, replace, record };
}

const bodyOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

function flipped(at: number): Buffer {
  const damaged = Buffer.from(content);
  damaged[at] = (damaged[at] ?? 0) ^ 1;
  return damaged;
}

async function expectRefused(response: Response): Promise<void> {
  expect(response.status).toBe(500);
  for (const name of ['content-range', 'content-disposition', 'etag']) expect(response.headers.get(name)).toBeNull();
  expect(response.headers.get('x-should-retry')).toBe('false');
  expect(await errorOf(response)).toMatchObject({
    code: 'content_damaged',
    message: expect.stringContaining('/results') as string,
  });
}

/** All that comes before the connection is cut. */
async function untilCut(response: Response): Promise<Buffer> {
  const received: Uint8Array[] = [];
  await expect(
    (async () => {
      for await (const bytes of response.body ?? []) received.push(bytes as Uint8Array);
    })(),
  ).rejects.toThrow();
  return Buffer.concat(received);
}

test('ranges of a file in several pieces are its bytes, wherever they begin and end', async () => {
  const { read, record } = await stored();
  expect(record()).toMatchObject({ etag: null, chunks: { bytes: piece } });
  expect(record().chunks?.sha256).toHaveLength(4);
  expect((await bodyOf(await read())).equals(content)).toBe(true);
  for (const [start, end] of [
    [0, 1],
    [0, piece],
    [piece - 1, piece + 1],
    [piece, 2 * piece],
    [5, 3 * piece + 7],
    [3 * piece, content.length],
    [content.length - 1, content.length],
    [0, content.length],
  ] as const) {
    const response = await read(`bytes=${start}-${end - 1}`);
    expect(response.status).toBe(206);
    expect((await bodyOf(response)).equals(content.subarray(start, end)), `${start}-${end}`).toBe(true);
  }
});

test('a flipped bit never leaves: what is before it does, and ranges beside it', async () => {
  const { read, replace, world } = await stored();
  await replace(flipped(2 * piece - 5));
  const received = await untilCut(await read());
  expect(received.length).toBeLessThanOrEqual(piece);
  expect(received.equals(content.subarray(0, received.length))).toBe(true);
  await eventually('it is logged', () => world.log.of('file.read_failed').length === 1);
  expect(world.log.of('file.read_failed')[0]?.fields).toMatchObject({ code: 'content_damaged' });

  await expectRefused(await read(`bytes=${piece}-${piece}`));
  await expectRefused(await read(`bytes=${2 * piece - 5}-${2 * piece + 5}`));
  for (const [start, end] of [
    [0, piece],
    [2 * piece, content.length],
  ] as const)
    expect((await bodyOf(await read(`bytes=${start}-${end - 1}`))).equals(content.subarray(start, end))).toBe(true);
  expect((await untilCut(await read(`bytes=${piece - 10}-${piece + 10}`))).length).toBeLessThanOrEqual(10);
});

test.each([
  ['replaced by one of equal length', randomBytes(content.length)],
  ['cut', content.subarray(0, -1)],
  ['cut at a piece', content.subarray(0, 3 * piece)],
  ['longer', Buffer.concat([content, Buffer.of(0)])],
  ['empty', Buffer.of()],
])('an object that was %s is not given out', async (_how, now) => {
  const { read, replace, call, id } = await stored();
  await replace(now);
  await expectRefused(await read());
  await expectRefused(await read('bytes=0-9'));
  const head = await call(`/v1/files/${id}/content`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, String(content.length)]);
});

test('an object that was written again with the same bytes is the same file', async () => {
  const { read, replace } = await stored();
  await replace(content);
  expect((await bodyOf(await read())).equals(content)).toBe(true);
  expect((await bodyOf(await read('bytes=7-9'))).equals(content.subarray(7, 10))).toBe(true);
});

test.each([0, 1, 20])('a file of %d bytes is verified by its one digest', async (length) => {
  const bytes = content.subarray(0, length);
  const { read, replace, record } = await stored(bytes);
  expect(record().chunks).toBeUndefined();
  expect((await bodyOf(await read())).equals(bytes)).toBe(true);
  await replace(Buffer.from('x'.repeat(length + 1)));
  await expectRefused(await read());
  if (length === 0) return;
  await replace(Buffer.from('x'.repeat(length)));
  await expectRefused(await read('bytes=0-0'));
});

test('a record of an earlier version is verified by its one digest, whatever its ETag', async () => {
  const { read, replace, record, world, id } = await stored();
  const { chunks: _, ...earlier } = record();
  await putJson(world, keys.file(tenantA, id), { ...earlier, etag: '"of long ago"' });
  expect((await bodyOf(await read())).equals(content)).toBe(true);
  expect((await bodyOf(await read('bytes=100-199'))).equals(content.subarray(100, 200))).toBe(true);
  await replace(flipped(5));
  expect((await untilCut(await read())).length, 'the end is held back').toBeLessThan(content.length);
  await replace(content.subarray(1));
  await expectRefused(await read());
  await expectRefused(await read('bytes=0-0'));
});

test('a dropped file is pinned by its ETag: replaced, it is another one', async () => {
  const { call, world } = await listening();
  const id = 'file-01drop';
  const contentKey = `inbox/${tenantA}/in.jsonl`;
  const { etag } = await world.store.put(contentKey, Buffer.from('ab\n'));
  const dropped = { v: 1, id, bytes: 3, sha256: '', filename: 'x', purpose: 'batch', createdMs: 0, expiresMs: null };
  await putJson(world, keys.file(tenantA, id), { ...dropped, contentKey, etag, batchId: null });
  expect(await (await call(`/v1/files/${id}/content`)).text()).toBe('ab\n');
  await world.store.put(contentKey, Buffer.from('cd\n'));
  const response = await call(`/v1/files/${id}/content`);
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ code: 'input_changed' });
});

test('readers that go away in the middle leave nothing open', async () => {
  const { read, world } = await stored();
  let open = 0;
  const getStream = world.store.getStream.bind(world.store);
  world.store.getStream = async (...call) => {
    const found = await getStream(...call);
    if (!found) return found;
    open++;
    const body = (async function* () {
      try {
        yield* found.body;
      } finally {
        open--;
      }
    })();
    return { info: found.info, body };
  };
  for (let n = 0; n < 20; n++) await (await read()).body?.cancel();
  await eventually('all bodies are closed', () => open === 0);
});

test('the digests are those of the content', async () => {
  const { record } = await stored();
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  expect(record().sha256).toBe(sha256(content));
  expect(record().chunks?.sha256).toEqual(
    [0, 1, 2, 3].map((n) => sha256(content.subarray(n * piece, (n + 1) * piece))),
  );
});
