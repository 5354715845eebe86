import { createHash, randomBytes } from 'node:crypto';
import { toFile } from 'openai';
import { expect, test } from 'vitest';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { sweepUploads } from '../../../src/app/uploads/sweep-uploads.js';
import type { World } from '../../../src/app/world.js';
import { uploadObject } from '../../../src/contract/upload-object.js';
import { mend, stopAtWrite } from '../../support/store-faults.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { tenantA } from './fake-world.js';
import { listening, type Listening } from './listening.js';

const sweepAll = async (world: World): Promise<void> => {
  await sweepUploads(world);
  await sweepRetention(world);
};

const content = randomBytes(300_000);
const pieces = [content.subarray(0, 1), content.subarray(1, 200_001), content.subarray(200_001)];
const declared = {
  purpose: 'batch',
  filename: 'big.jsonl',
  bytes: content.length,
  mime_type: 'application/jsonl',
} as const;

async function sendParts({ client }: Listening, uploadId: string, order = [2, 0, 1]): Promise<string[]> {
  const ids: string[] = [];
  for (const n of order) {
    const data = await toFile(pieces[n] as Buffer, 'upload');
    const part = await client.uploads.parts.create(uploadId, { data });
    expect(part).toMatchObject({ object: 'upload.part', upload_id: uploadId });
    ids[n] = part.id;
  }
  return ids;
}

test('parts sent out of order become one file', async () => {
  const server = await listening();
  const { client } = server;
  const upload = await client.uploads.create({ ...declared, expires_after: { anchor: 'created_at', seconds: 7200 } });
  expect(uploadObject.parse(upload)).toMatchObject({
    status: 'pending',
    file: null,
    bytes: content.length,
    expires_at: upload.created_at + 3600,
  });
  const part_ids = await sendParts(server, upload.id);
  const md5 = createHash('md5').update(content).digest('hex');
  const done = await client.uploads.complete(upload.id, { part_ids, md5 });
  expect(done).toMatchObject({ id: upload.id, status: 'completed', file: { purpose: 'batch', filename: 'big.jsonl' } });
  const file = done.file?.id ?? '';
  expect(done.file?.expires_at).toBe((done.file?.created_at ?? 0) + 7200);
  expect(Buffer.from(await (await client.files.content(file)).arrayBuffer()).equals(content)).toBe(true);
  expect(await client.uploads.complete(upload.id, { part_ids }), 'again').toEqual(done);
  expect((await client.files.list()).data.map(({ id }) => id)).toEqual([file]);
});

test('a wrong sum, a wrong MD5 and unknown parts are refused, and the upload stays open', async () => {
  const server = await listening();
  const { client, world } = server;
  const upload = await client.uploads.create(declared);
  const part_ids = await sendParts(server, upload.id);
  const complete = (body: { part_ids: string[]; md5?: string }) => client.uploads.complete(upload.id, body);
  await expect(complete({ part_ids: part_ids.slice(1) })).rejects.toMatchObject({ status: 400, param: 'part_ids' });
  await expect(complete({ part_ids: [...part_ids, 'part_0'] })).rejects.toMatchObject({ param: 'part_ids[3]' });
  await expect(complete({ part_ids: ['../x'] })).rejects.toMatchObject({ status: 400, param: 'part_ids[0]' });
  await expect(complete({ part_ids: [part_ids[0] ?? '', part_ids[0] ?? ''] })).rejects.toMatchObject({
    status: 400,
    param: 'part_ids[1]',
  });
  await expect(complete({ part_ids, md5: '0'.repeat(32) })).rejects.toMatchObject({ status: 400, param: 'md5' });
  await expect(complete({ part_ids, md5: 'x' })).rejects.toMatchObject({ status: 400, param: 'md5' });
  expect([...world.store.keys()].filter((key) => key.includes('/files/'))).toEqual([]);
  expect(await complete({ part_ids })).toMatchObject({ status: 'completed' });
});

test('an empty upload becomes an empty file', async () => {
  const { client } = await listening();
  const upload = await client.uploads.create({ ...declared, bytes: 0 });
  expect(await client.uploads.complete(upload.id, { part_ids: [] })).toMatchObject({ file: { bytes: 0 } });
});

test('twenty completions at once make one file', async () => {
  const server = await listening();
  const { client } = server;
  const upload = await client.uploads.create(declared);
  const part_ids = await sendParts(server, upload.id);
  const done = await Promise.all(Array.from({ length: 20 }, () => client.uploads.complete(upload.id, { part_ids })));
  expect(new Set(done.map(({ file }) => file?.id)).size).toBe(1);
  expect((await client.files.list()).data).toHaveLength(1);
});

test('a cancelled upload takes nothing more, and its parts are swept', async () => {
  const server = await listening();
  const { client, world } = server;
  const upload = await client.uploads.create(declared);
  const part_ids = await sendParts(server, upload.id);
  expect(await client.uploads.cancel(upload.id)).toMatchObject({ status: 'cancelled', file: null });
  expect(await client.uploads.cancel(upload.id), 'again').toMatchObject({ status: 'cancelled' });
  const data = await toFile(Buffer.from('x'), 'upload');
  await expect(client.uploads.parts.create(upload.id, { data })).rejects.toMatchObject({ code: 'upload_ended' });
  await expect(client.uploads.complete(upload.id, { part_ids })).rejects.toMatchObject({ code: 'upload_ended' });
  await sweepAll(world);
  expect(
    [...world.store.keys()].some((key) => key.includes('/parts/')),
    'kept for a while',
  ).toBe(true);
  await world.clock.advance(11 * 60 * 1000);
  await sweepAll(world);
  expect([...world.store.keys()].filter((key) => key.includes('/parts/'))).toEqual([]);
  expect(await client.uploads.cancel(upload.id), 'the record is kept for a day').toMatchObject({ status: 'cancelled' });
  await world.clock.advance(24 * 3600 * 1000);
  await sweepAll(world);
  expect([...world.store.keys()]).toEqual([]);
  await expect(client.uploads.cancel(upload.id)).rejects.toMatchObject({ status: 404 });
});

test('a crash at any write of the sweep leaves nothing that the next does not remove', async () => {
  for (const when of ['before', 'after'] as const)
    for (let at = 0; ; at++) {
      const server = await listening();
      const { client, world } = server;
      const upload = await client.uploads.create(declared);
      await sendParts(server, upload.id);
      await world.clock.advance(3_600_000 + 1);
      let stopped = false;
      for (const wait of [0, 11 * 60 * 1000, 25 * 3_600_000]) {
        await world.clock.advance(wait);
        const crash = stopAtWrite(world.store, at, when);
        await sweepAll(world);
        mend(world.store);
        stopped ||= crash.stopped();
        await expect(client.uploads.cancel(upload.id)).rejects.toMatchObject({
          code: expect.stringMatching(/^upload_ended$|^not_found$/) as string,
        });
        await sweepAll(world);
      }
      await world.clock.advance(2 * 3_600_000);
      await sweepAll(world);
      expect([...world.store.keys()], `write ${at}`).toEqual([]);
      if (!stopped) {
        expect(at).toBeGreaterThan(2);
        break;
      }
    }
});

test('an upload whose hour is over is expired', async () => {
  const server = await listening();
  const { client, world } = server;
  const upload = await client.uploads.create(declared);
  const part_ids = await sendParts(server, upload.id);
  await world.clock.advance(3_600_000);
  await expect(client.uploads.complete(upload.id, { part_ids })).rejects.toMatchObject({
    code: 'upload_ended',
    message: expect.stringContaining('expired'),
  });
  await expect(client.uploads.cancel(upload.id)).rejects.toMatchObject({ code: 'upload_ended' });
  await sweepAll(world);
  await world.clock.advance(11 * 60 * 1000);
  await sweepAll(world);
  expect([...world.store.keys()].some((key) => key.includes('/parts/'))).toBe(false);
});

test('a completed upload keeps its file when its parts are swept', async () => {
  const server = await listening();
  const { client, world } = server;
  const upload = await client.uploads.create(declared);
  const part_ids = await sendParts(server, upload.id);
  const done = await client.uploads.complete(upload.id, { part_ids });
  await world.clock.advance(11 * 60 * 1000);
  await sweepAll(world);
  const read = await client.files.content(done.file?.id ?? '');
  expect((await read.arrayBuffer()).byteLength).toBe(content.length);
  expect(await client.uploads.complete(upload.id, { part_ids })).toMatchObject({ status: 'completed' });
});

test('an upload belongs to its tenant alone', async () => {
  const server = await listening();
  const { client, other } = server;
  const upload = await client.uploads.create(declared);
  const part_ids = await sendParts(server, upload.id);
  const data = await toFile(Buffer.from('x'), 'upload');
  for (const attempt of [
    () => other.uploads.parts.create(upload.id, { data }),
    () => other.uploads.complete(upload.id, { part_ids }),
    () => other.uploads.cancel(upload.id),
  ])
    await expect(attempt()).rejects.toMatchObject({ status: 404, code: 'not_found' });
  const own = await other.uploads.create(declared);
  await expect(other.uploads.complete(own.id, { part_ids })).rejects.toMatchObject({ param: 'part_ids[0]' });
});

test.each([
  [{ bytes: -1 }, 'bytes'],
  [{ bytes: 10 ** 12 }, 'bytes'],
  [{ bytes: '5' }, 'bytes'],
  [{ filename: '' }, 'filename'],
  [{ purpose: 'vision' }, 'purpose'],
  [{ mime_type: undefined }, 'mime_type'],
  [{ colour: 'red' }, 'colour'],
])('an upload declared with %j is refused', async (change, param) => {
  const { call } = await listening();
  const response = await call('/v1/uploads', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...declared, ...change }),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param } });
});

test('parts never have more bytes together than were declared, whether they come one by one or at once', async () => {
  const server = await listening();
  const { client, world } = server;
  const parts = () => world.store.list(keys.uploadParts(tenantA, upload.id));
  const data = await toFile(Buffer.alloc(60), 'upload');
  const send = (headers: Record<string, string> = {}) => client.uploads.parts.create(upload.id, { data }, { headers });
  const tooMuch = { status: 400, param: 'data', message: expect.stringContaining('declared with 100') as string };
  const upload = await client.uploads.create({ ...declared, bytes: 100 });
  await send();
  await expect(send()).rejects.toMatchObject(tooMuch);
  expect((await parts()).objects).toHaveLength(1);
  const repeat = { 'X-Stainless-Retry-Count': '1' };
  await send(repeat);
  await send(repeat);
  await expect(send(repeat), 'no more than twice').rejects.toMatchObject(tooMuch);
  for (const { key } of (await parts()).objects) await world.store.delete(key);
  // They are listed again only then.
  await world.clock.advance(bounds.uploadLookMs);
  const atOnce = await Promise.allSettled(Array.from({ length: 40 }, () => send()));
  expect(atOnce.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
  expect((await parts()).objects.length).toBeLessThanOrEqual(1);
  expect(world.store.keys().filter((key) => key.includes('/parts/')).length).toBeLessThanOrEqual(1);
});

test('a tenant has a bounded number of open uploads, also when they are begun at once; one that ends makes room', async () => {
  const server = await listening();
  const { client, other, world } = server;
  for (let n = 0; n < bounds.uploadsOpenMax - 3; n++)
    await world.store.put(keys.pendingUpload(tenantA, `upload_${n}`), Buffer.of());
  const begun = await Promise.allSettled(Array.from({ length: 20 }, () => client.uploads.create(declared)));
  const open = begun.flatMap((result) => (result.status === 'fulfilled' ? [result.value.id] : []));
  expect(open).toHaveLength(3);
  const full = { status: 429, code: 'insufficient_quota' };
  for (const result of begun) if (result.status === 'rejected') expect(result.reason).toMatchObject(full);
  await other.uploads.create(declared);

  const [cancelled = '', completed = '', expired = ''] = open;
  await client.uploads.cancel(cancelled);
  await client.uploads.create(declared);
  await client.uploads.complete(completed, { part_ids: await sendParts(server, completed) });
  await client.uploads.create(declared);
  await expect(client.uploads.create(declared)).rejects.toMatchObject(full);
  await world.clock.advance(3600_000);
  await sweepAll(world);
  expect((await client.uploads.create(declared)).id).not.toBe(expired);
});
