import { Readable } from 'node:stream';
import { type OpenAI, NotFoundError, toFile } from 'openai';
import { expect, onTestFinished, test } from 'vitest';
import { digestContent } from '../../../src/app/files/content-digest.js';
import type { StoredFile } from '../../../src/contract/stored-objects.js';
import { bounds } from '../../../src/domain/bounds.js';
import { idPrefixes } from '../../../src/domain/ids.js';
import { keys } from '../../../src/domain/object-keys.js';
import { endBatch, putJson, tenantA } from './fake-world.js';
import { listening } from './listening.js';

const jsonl = (text = '{"custom_id":"a"}\n') => toFile(Buffer.from(text), 'in.jsonl');

test('a file is uploaded, shown, read and deleted with the official client', async () => {
  const { client, world } = await listening();
  const file = await client.files.create({ file: await jsonl('{"a":1}\n'), purpose: 'batch' });
  expect(file).toMatchObject({ object: 'file', bytes: 8, filename: 'in.jsonl', purpose: 'batch', status: 'processed' });
  expect(file.expires_at).toBe(file.created_at + 30 * 24 * 3600);
  expect(await client.files.retrieve(file.id)).toEqual(expect.objectContaining({ id: file.id, bytes: 8 }));
  expect(await client.files.waitForProcessing(file.id)).toMatchObject({ status: 'processed' });
  expect(await (await client.files.content(file.id)).text()).toBe('{"a":1}\n');
  expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
  await expect(client.files.retrieve(file.id)).rejects.toBeInstanceOf(NotFoundError);
  await expect(client.files.content(file.id)).rejects.toBeInstanceOf(NotFoundError);
  expect(await client.files.delete(file.id), 'a repeated delete succeeds').toMatchObject({ deleted: true });
  expect((await client.files.list()).data).toEqual([]);
  expect(world.store.text(`t/tenant-a/files/${file.id}/content`), 'bytes wait for running batches').not.toBeNull();
});

test('purpose and expiry may stand behind the file, and a stream has no length', async () => {
  const { client } = await listening();
  const stream = Readable.from([Buffer.from('one\n'), Buffer.from('two\n')]);
  const file = await client.files.create({
    file: await toFile(stream, 'zwei ü.jsonl'),
    purpose: 'user_data',
    expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  expect(file.bytes).toBe(8);
  expect(file.expires_at).toBe(file.created_at + 3600);
  expect(file.filename).toBe('zwei ü.jsonl');
  const content = await client.files.content(file.id);
  expect(content.headers.get('content-disposition')).toContain('%C3%BC');
});

test('files of purpose user_data stay for ever unless told otherwise', async () => {
  const { client } = await listening();
  const file = await client.files.create({ file: await jsonl(), purpose: 'user_data' });
  expect(file.expires_at).toBeNull();
});

test('an expired file is gone', async () => {
  const { client, world } = await listening();
  const file = await client.files.create({
    file: await jsonl(),
    purpose: 'batch',
    expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  await world.clock.advance(3_601_000);
  await expect(client.files.retrieve(file.id)).rejects.toMatchObject({ status: 404, code: 'not_found' });
  expect((await client.files.list()).data).toEqual([]);
});

test.each([
  [{ purpose: 'fine-tune' }, 'invalid_value', 'purpose'],
  [{ expires_after: { anchor: 'created_at', seconds: 60 } }, 'invalid_value', 'expires_after.seconds'],
  [{ expires_after: { anchor: 'last_active_at', seconds: 3600 } }, 'invalid_value', 'expires_after.anchor'],
  [{ colour: 'red' }, 'unknown_parameter', 'colour'],
])('a form with %j is refused and leaves nothing behind', async (fields, code, param) => {
  const { client, world } = await listening();
  const body = { file: await jsonl(), purpose: 'batch', ...fields } as OpenAI.FileCreateParams;
  await expect(client.files.create(body)).rejects.toMatchObject({ status: 400, code, param });
  expect([...world.store.keys()]).toEqual([]);
});

test('a form without a file, with two, or with a file as text is refused', async () => {
  const { call } = await listening();
  const send = async (fill: (form: FormData) => void) => {
    const form = new FormData();
    form.set('purpose', 'batch');
    fill(form);
    const response = await call('/v1/files', { method: 'POST', body: form });
    return { status: response.status, body: await response.json() };
  };
  expect(await send(() => {})).toMatchObject({
    status: 400,
    body: { error: { code: 'missing_required_parameter', param: 'file' } },
  });
  expect(
    await send((form) => {
      form.append('file', new Blob(['1']), 'a');
      form.append('file', new Blob(['2']), 'b');
    }),
  ).toMatchObject({ status: 400, body: { error: { code: 'invalid_value' } } });
  expect(await send((form) => form.set('file', 'text'))).toMatchObject({
    status: 400,
    body: { error: { code: 'invalid_type', param: 'file' } },
  });
});

test('pages of files show each once, in both orders, also when the cursor was deleted', async () => {
  const { client, world } = await listening();
  const made: string[] = [];
  for (let n = 0; n < 7; n++) {
    made.push((await client.files.create({ file: await jsonl(), purpose: 'batch' })).id);
    await world.clock.advance(1);
  }
  await client.files.create({ file: await jsonl(), purpose: 'user_data' });
  for (const [order, expected] of [
    ['asc', made],
    ['desc', made.toReversed()],
  ] as const) {
    const seen: string[] = [];
    for await (const file of client.files.list({ limit: 3, order, purpose: 'batch' })) seen.push(file.id);
    expect(seen, order).toEqual(expected);
  }
  const first = await client.files.list({ limit: 3, order: 'asc' });
  expect(first.has_more).toBe(true);
  await client.files.delete(first.data[2]?.id ?? '');
  const second = await client.files.list({ limit: 3, order: 'asc', after: first.data[2]?.id ?? '' });
  expect(second.data.map(({ id }) => id)).toEqual(made.slice(3, 6));
});

test('a list of one purpose reads no files of another; entries of earlier versions are still found', async () => {
  const { client, world } = await listening();
  for (let n = 0; n < 20; n++) await client.files.create({ file: await jsonl(), purpose: 'batch' });
  const mine = await client.files.create({ file: await jsonl(), purpose: 'user_data' });
  const listed = async () => (await client.files.list({ purpose: 'user_data' })).data.map(({ id }) => id);
  const reads = () => world.store.calls.filter(({ operation }) => operation === 'get').length;
  const before = reads();
  expect(await listed()).toEqual([mine.id]);
  expect(reads() - before).toBeLessThan(5);
  for (const key of world.store.keys().filter((name) => name.includes('/idx/f/')))
    await world.store.put(key, Buffer.of());
  expect(await listed()).toEqual([mine.id]);
});

test('a page that may read no more is short, and its last_id leads on', async () => {
  const { call, client, world } = await listening();
  const mine = await client.files.create({ file: await jsonl(), purpose: 'user_data' });
  for (let n = 0; n < bounds.listReadsMax; n++) {
    const id = `${idPrefixes.file}${String(n).padStart(26, '0')}`;
    const listed = world.clock.now() + 1 + n;
    await world.store.put(keys.fileIndexEntry(tenantA, listed, id), Buffer.of());
    await putJson(world, keys.fileDeleted(tenantA, id), { v: 1, deletedMs: 0, listedMs: listed });
  }
  const page = async (query: string) => (await (await call(`/v1/files?${query}`)).json()) as { last_id: string };
  const first = await page('limit=5');
  expect(first).toMatchObject({ data: [], has_more: true });
  const second = await page(`limit=5&after=${first.last_id}`);
  expect(second).toMatchObject({ data: [{ id: mine.id }], has_more: false });
});

test.each([
  ['limit=0', 'limit'],
  ['limit=10001', 'limit'],
  ['limit=ten', 'limit'],
  ['order=up', 'order'],
  ['after=file-unknown', 'after'],
  ['purpose=x', 'purpose'],
  ['colour=red', 'colour'],
  ['limit=1&limit=2', 'limit'],
])('a list with ?%s is refused', async (query, param) => {
  const { call } = await listening();
  const response = await call(`/v1/files?${query}`);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param, type: 'invalid_request_error' } });
});

test('an empty list names no ids', async () => {
  const { call } = await listening();
  const body = await (await call('/v1/files')).json();
  expect(body).toEqual({ object: 'list', data: [], first_id: null, last_id: null, has_more: false });
});

test('parts of a file are read by range', async () => {
  const { client, call } = await listening();
  const file = await client.files.create({ file: await jsonl('0123456789'), purpose: 'batch' });
  const read = async (headers: Record<string, string>, method = 'GET') => {
    const response = await call(`/v1/files/${file.id}/content`, { method, headers });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  expect(await read({ range: 'bytes=2-4' })).toMatchObject({ status: 206, text: '234' });
  expect((await read({ range: 'bytes=2-4' })).headers.get('content-range')).toBe('bytes 2-4/10');
  expect(await read({ range: 'bytes=-3' })).toMatchObject({ status: 206, text: '789' });
  expect(await read({ range: 'bytes=8-99' })).toMatchObject({ status: 206, text: '89' });
  expect(await read({ range: 'bytes=1-2,4-5' })).toMatchObject({ status: 200, text: '0123456789' });
  const beyond = await read({ range: 'bytes=10-' });
  expect(beyond.status).toBe(416);
  expect(beyond.headers.get('content-range')).toBe('bytes */10');
  expect(JSON.parse(beyond.text)).toMatchObject({ error: { code: 'range_not_satisfiable' } });
  const whole = await read({});
  const etag = whole.headers.get('etag') ?? '';
  expect(whole.headers.get('content-length')).toBe('10');
  expect(await read({ 'if-none-match': etag })).toMatchObject({ status: 304, text: '' });
  expect(await read({ range: 'bytes=0-0', 'if-range': '"other"' })).toMatchObject({ status: 200 });
  const head = await read({}, 'HEAD');
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers.get('content-length')).toBe('10');
});

test('files that nobody hashed have names of their own for caches', async () => {
  const { call, world } = await listening();
  const etags: (string | null)[] = [];
  for (const id of ['file-01drop', 'file-02drop']) {
    const contentKey = `inbox/${tenantA}/${id}.jsonl`;
    const { etag } = await world.store.put(contentKey, Buffer.from('x\n'));
    const dropped = { v: 1, id, bytes: 2, sha256: '', filename: 'x', purpose: 'batch', createdMs: 0, expiresMs: null };
    await putJson(world, keys.file(tenantA, id), { ...dropped, contentKey, etag, batchId: null });
    const response = await call(`/v1/files/${id}/content`, { headers: { range: 'bytes=0-0' } });
    expect({ status: response.status, text: await response.text() }).toEqual({ status: 206, text: 'x' });
    etags.push(response.headers.get('etag'));
  }
  expect(new Set(etags).size).toBe(2);
  const headers = { 'if-none-match': etags[0] ?? '' };
  expect((await call('/v1/files/file-01drop/content', { headers })).status).toBe(304);
  expect((await call('/v1/files/file-02drop/content', { headers })).status).toBe(200);
});

test('a download has no more listeners than Node thinks right: else each is a warning in the log', async () => {
  const { client } = await listening();
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const { id } = await client.files.create({ file: await jsonl(), purpose: 'batch' });
  await (await client.files.content(id)).text();
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
});

test('a file belongs to its tenant alone', async () => {
  const { client, other } = await listening();
  const file = await client.files.create({ file: await jsonl(), purpose: 'batch' });
  for (const attempt of [
    () => other.files.retrieve(file.id),
    () => other.files.content(file.id),
    () => other.files.delete(file.id),
  ])
    await expect(attempt()).rejects.toMatchObject({ status: 404, code: 'not_found' });
  expect((await other.files.list()).data).toEqual([]);
  const own = await other.files.create({ file: await jsonl(), purpose: 'batch' });
  expect(
    (await other.files.list()).data.map(({ id }) => id),
    'a tenant name like an id confuses no one',
  ).toEqual([own.id]);
  expect(await client.files.retrieve(file.id)).toMatchObject({ id: file.id });
});

test('output files are seen and listed only once the manifest names them', async () => {
  const { client, world } = await listening();
  const batchId = 'batch_01';
  const id = 'file-01out';
  const key = keys.result(tenantA, batchId, id);
  const content = digestContent(Buffer.from('x\n'));
  await world.store.put(key, Buffer.from('x\n'));
  const file: StoredFile = {
    v: 1,
    id,
    ...content,
    filename: `${batchId}_output.jsonl`,
    purpose: 'batch_output',
    createdMs: world.clock.now(),
    expiresMs: null,
    contentKey: key,
    etag: null,
    batchId,
  };
  await putJson(world, keys.file(tenantA, id), file);
  await expect(client.files.retrieve(id)).rejects.toMatchObject({ status: 404 });
  await expect(client.files.delete(id)).rejects.toMatchObject({ status: 404 });
  await world.clock.advance(5000);
  await endBatch(world, batchId, { fileId: id, key, ...content, lines: 1 });
  await world.store.put(keys.fileIndexEntry(tenantA, world.clock.now(), id), Buffer.of());
  expect(await client.files.retrieve(id)).toMatchObject({ purpose: 'batch_output' });
  expect(await (await client.files.content(id)).text()).toBe('x\n');
  await world.clock.advance(1000);
  const input = await client.files.create({ file: await jsonl(), purpose: 'batch' });
  const seen: string[] = [];
  for await (const { id: each } of client.files.list({ limit: 1 })) seen.push(each);
  expect(seen).toEqual([input.id, id]);
  await client.files.delete(id);
  expect((await client.files.list({ after: input.id })).data).toEqual([]);
  expect((await client.files.list({ after: id })).data, 'a deleted cursor').toEqual([]);
  expect(world.store.keys().filter((each) => each.startsWith(keys.fileIndex(tenantA)))).toHaveLength(1);
});
