import { expect, test } from 'vitest';
import { bounds } from '../../../../src/domain/bounds.js';
import { apiShares } from '../../../../src/http/shares.js';
import { eventually } from '../../../support/eventually.js';
import { fakeWorld, keyA, keyB } from '../fake-world.js';
import { errorOf, listening } from '../listening.js';
import { RawSocket } from '../raw-socket.js';

const head = (key: string, path: string, ...lines: readonly string[]): string =>
  [`POST ${path} HTTP/1.1`, 'Host: t', `Authorization: Bearer ${key}`, ...lines, '', ''].join('\r\n');
const json = 'Content-Type: application/json';
const largest = `Content-Length: ${bounds.inlineBodyBytesMax}`;
const form = 'Content-Type: multipart/form-data; boundary=b';
const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';

const submit = (body: object): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const unknown = { input_file_id: 'file-x', endpoint: '/v1/completions', completion_window: '24h' };

test.each([largest, 'Transfer-Encoding: chunked'])(
  'bodies of one tenant are read only up to a bound (%s); others are not held up',
  async (length) => {
    const shares = apiShares(fakeWorld());
    const server = await listening({ shares });
    const raws = Array.from({ length: 60 }, () => new RawSocket(server.port));
    for (const raw of raws) void raw.send(head(keyA, '/v1/batches', json, length));
    await eventually('they are under way', () => shares.bodies.state().waiting === 56);
    expect(shares.bodies.state().active).toBe(bounds.bodyBytesPerTenant);
    const theirs = await server.call('/v1/batches', {
      ...submit(unknown),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${keyB}` },
    });
    expect(theirs.status).toBe(200);
    // The tenant's own next body waits for a while, then it is told why.
    const own = server.call('/v1/batches', submit(unknown));
    await eventually('it waits', () => shares.bodies.state().waiting === 57);
    await server.world.clock.advance(bounds.placeWaitMs);
    const refused = await own;
    expect(refused.status).toBe(429);
    expect(await errorOf(refused)).toMatchObject({
      code: 'rate_limit_exceeded',
      message: expect.stringContaining(String(bounds.bodyBytesPerTenant)) as string,
    });
    expect(server.world.refusals.counts().get('bodyBytesPerTenant')).toBeGreaterThan(0);
    for (const raw of raws) raw.destroy();
    await eventually('nothing is held any more', () => shares.bodies.state().active === 0);
  },
);

test('a body is counted until its call is answered, and small ones do not wait', async () => {
  const shares = apiShares(fakeWorld());
  const server = await listening({ shares });
  const answers = await Promise.all(Array.from({ length: 100 }, () => server.call('/v1/batches', submit(unknown))));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  await eventually('nothing is held', () => shares.bodies.state().active === 0);
});

test('no body is read before the key is known', async () => {
  const shares = apiShares(fakeWorld());
  const server = await listening({ shares });
  const raw = new RawSocket(server.port);
  await raw.send(head('ey_wrong', '/v1/batches', json, largest));
  expect((await raw.answer()).status).toBe(401);
  expect(shares.bodies.state()).toMatchObject({ active: 0, waiting: 0 });
  raw.destroy();
});

test('one tenant sends so many files at once; others send theirs meanwhile', async () => {
  const shares = apiShares(fakeWorld());
  const server = await listening({ shares });
  const raws = Array.from({ length: 20 }, () => new RawSocket(server.port));
  for (const raw of raws) void raw.send(`${head(keyA, '/v1/files', form, 'Content-Length: 1000000')}${file}abc`);
  await eventually('they are under way', () => shares.uploads.state().waiting === 20 - bounds.uploadsPerTenant);
  expect(shares.uploads.state().active).toBe(bounds.uploadsPerTenant);
  const theirs = await server.other.files.create({ file: new File(['x'], 'a'), purpose: 'batch' });
  expect(theirs.bytes).toBe(1);
  for (const raw of raws) raw.destroy();
  await eventually('nothing is held any more', () => shares.uploads.state().active === 0);
  expect(server.world.log.of('http.failed')).toEqual([]);
});

test('lists of one tenant take turns; others and other calls go on', async () => {
  const shares = apiShares(fakeWorld());
  const server = await listening({ shares });
  const { id } = await server.other.files.create({ file: new File(['x'], 'a'), purpose: 'batch' });
  // The lists of tenant A hang in the store.
  server.world.store.fault = ({ operation, key }) =>
    operation === 'list' && key.includes('tenant-a') ? { delayMs: 60_000 } : undefined;
  const lists = Array.from({ length: 50 }, () => server.call('/v1/files'));
  await eventually('they wait', () => shares.lists.state().waiting === 50 - bounds.listsPerTenant);
  expect((await server.other.files.list()).data.map((one) => one.id)).toEqual([id]);
  expect((await server.other.files.retrieve(id)).id).toBe(id);
  expect((await server.call('/v1/models')).status).toBe(200);
  server.world.store.fault = () => undefined;
  await server.world.clock.advance(60_000);
  const statuses = (await Promise.all(lists)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(bounds.listsPerTenant);
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
});

test('batches that one tenant creates take turns; others create theirs meanwhile, and dry runs hold no place', async () => {
  const shares = apiShares(fakeWorld());
  const server = await listening({ shares });
  server.world.store.fault = ({ operation, key }) =>
    operation === 'create' && key.includes('tenant-a') ? { delayMs: 1000 } : undefined;
  const creates = Array.from({ length: 20 }, () => server.call('/v1/batches', submit(unknown)));
  await eventually('they wait', () => shares.changes.state().waiting === 20 - bounds.changesPerTenant);
  const theirs = await server.call('/v1/batches', {
    ...submit(unknown),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keyB}` },
  });
  expect(theirs.status).toBe(200);
  const dry = await server.call('/v1/batches', submit({ ...unknown, eyrie: { dry_run: true } }));
  expect(await errorOf(dry)).toMatchObject({ param: 'eyrie.dry_run' });
  server.world.store.fault = () => undefined;
  await server.world.clock.advance(1000);
  for (const { status } of await Promise.all(creates)) expect(status).toBe(200);
  expect(shares.changes.state()).toMatchObject({ active: 0, waiting: 0 });
});

test('a client that hangs up leaves its place only when the work for it has ended', async () => {
  const shares = apiShares(fakeWorld());
  const server = await listening({ shares });
  server.world.store.fault = ({ operation, key }) =>
    operation === 'list' && key.includes('tenant-a') ? { delayMs: 1000 } : undefined;
  const get = `GET /v1/files HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${keyA}\r\n\r\n`;
  const raws = Array.from({ length: 2 * bounds.listsPerTenant }, () => new RawSocket(server.port));
  for (const raw of raws) void raw.send(get);
  await eventually('they are under way', () => shares.lists.state().waiting === bounds.listsPerTenant);
  for (const raw of raws) raw.destroy();
  await eventually('nobody waits any more', () => shares.lists.state().waiting === 0);
  expect(shares.lists.state().active).toBe(bounds.listsPerTenant);
  await server.world.clock.advance(1000);
  await eventually('the work has ended', () => shares.lists.state().active === 0);
});

test.each(['/v1/files', '/v1/batches', '/v1/batches/batch_x/deliveries', '/v1/batches/batch_x/results'])(
  'HEAD %s takes a place as GET does',
  async (path) => {
    const shares = apiShares(fakeWorld());
    const server = await listening({ shares });
    const share = path.endsWith('results') ? shares.results : shares.lists;
    const leaves = await Promise.all(
      Array.from({ length: path.endsWith('results') ? bounds.resultsPerTenant : bounds.listsPerTenant }, () =>
        share.enter('tenant-a'),
      ),
    );
    const answer = server.call(path, { method: 'HEAD' });
    await eventually('it waits', () => share.state().waiting === 1);
    for (const leave of leaves) leave();
    expect([200, 404]).toContain((await answer).status);
  },
);
