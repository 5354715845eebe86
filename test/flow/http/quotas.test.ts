import { toFile, type OpenAI } from 'openai';
import { expect, test } from 'vitest';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { sweepUploads } from '../../../src/app/uploads/sweep-uploads.js';
import type { World } from '../../../src/app/world.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { plainOffer } from '../../../src/domain/offer.js';
import type { Quotas } from '../../../src/domain/quotas.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { endBatch, fakeWorld, tenantA } from './fake-world.js';
import { errorOf, listening, type Listening } from './listening.js';

const sweepAll = async (world: World): Promise<void> => {
  await sweepUploads(world);
  await sweepRetention(world);
};

const withQuotas = (quotas: Partial<Quotas>) => {
  const { tenants } = fakeWorld(plainOffer, quotas);
  return listening({ tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() }, plainOffer, { tenants });
};
const file = async (bytes: number) => toFile(Buffer.alloc(bytes, 'x'), 'a.jsonl');
const line = { custom_id: 'a', body: { model: 'falcon', prompt: 'x'.repeat(10), max_tokens: 50 } };
const create = ({ client }: Listening, body: object = { requests: [line] }, key?: string) =>
  client.batches.create(
    body as OpenAI.BatchCreateParams,
    key === undefined ? {} : { headers: { 'Idempotency-Key': key } },
  );
const usedUp = { status: 429, code: 'insufficient_quota', type: 'rate_limit_error' };
const callsOf = ({ world }: Listening, route: string) =>
  world.log.of('http.request').filter(({ fields }) => fields['route'] === route).length;

test('files beyond the quota are refused once, in their middle too; deleting makes room', async () => {
  const server = await withQuotas({ filesBytes: 1000 });
  const { client, other } = server;
  const first = await client.files.create({ file: await file(600), purpose: 'batch' });
  const before = callsOf(server, '/v1/files');
  const error: unknown = await client.files
    .create({ file: await file(401), purpose: 'batch' })
    .catch((cause: unknown) => cause);
  expect(error).toMatchObject(usedUp);
  expect((error as { headers: Headers }).headers.get('x-should-retry')).toBe('false');
  expect(callsOf(server, '/v1/files') - before, 'the client does not repeat it').toBe(1);
  expect((await client.files.list()).data.map(({ id }) => id)).toEqual([first.id]);
  await client.files.create({ file: await file(400), purpose: 'batch' });
  expect((await other.files.create({ file: await file(900), purpose: 'batch' })).bytes, 'of its own').toBe(900);

  await client.files.delete(first.id);
  await server.world.clock.advance(60_000);
  await client.files.create({ file: await file(600), purpose: 'batch' });
  await expect(client.files.create({ file: await file(1), purpose: 'batch' })).rejects.toMatchObject(usedUp);
});

test('uploads in parts count by what they declare, inline requests by what they take', async () => {
  const server = await withQuotas({ filesBytes: 1000 });
  await expect(server.client.uploads.create({ ...declared, bytes: 1001 })).rejects.toMatchObject(usedUp);
  await server.client.uploads.create({ ...declared, bytes: 1000 });
  const requests = Array.from({ length: 20 }, (_, n) => ({ ...line, custom_id: `${n}` }));
  await expect(create(server, { requests })).rejects.toMatchObject(usedUp);
});

const declared = { bytes: 600, filename: 'a.jsonl', purpose: 'batch', mime_type: 'application/jsonl' } as const;

async function uploaded({ client }: Listening, bytes: number): Promise<{ uploadId: string; partId: string }> {
  const { id: uploadId } = await client.uploads.create({ ...declared, bytes });
  const part = await client.uploads.parts.create(uploadId, { data: await file(bytes) });
  return { uploadId, partId: part.id };
}

test('parts count by their bytes while they lie there, of cancelled uploads too', async () => {
  const server = await withQuotas({ filesBytes: 1000 });
  const { client, world } = server;
  const [first, second] = await Promise.all([client.uploads.create(declared), client.uploads.create(declared)]);
  await client.uploads.parts.create(first.id, { data: await file(600) });
  await expect(client.uploads.parts.create(second.id, { data: await file(401) })).rejects.toMatchObject(usedUp);
  expect(world.store.keys().filter((key) => key.includes(second.id) && key.includes('/parts/'))).toEqual([]);
  const third = await client.uploads.create({ ...declared, bytes: 300 });
  await client.uploads.parts.create(third.id, { data: await file(300) });
  for (const wait of [0, 60_000]) {
    await world.clock.advance(wait);
    await expect(client.files.create({ file: await file(101), purpose: 'batch' })).rejects.toMatchObject(usedUp);
    await expect(create(server)).rejects.toMatchObject(usedUp);
  }
  for (const { id } of [first, third]) await client.uploads.cancel(id);
  await world.clock.advance(60_000);
  await expect(client.files.create({ file: await file(101), purpose: 'batch' }), 'still there').rejects.toMatchObject(
    usedUp,
  );
  await world.clock.advance(10 * 60_000);
  await sweepAll(world);
  await client.files.create({ file: await file(1000), purpose: 'batch' });
});

test('a completed upload counts once, and parts that it left out count until they go', async () => {
  const server = await withQuotas({ filesBytes: 1000 });
  const { client, world } = server;
  const { uploadId, partId } = await uploaded(server, 400);
  const again = { headers: { 'X-Stainless-Retry-Count': '1' } };
  await client.uploads.parts.create(uploadId, { data: await file(200) }, again);
  await client.uploads.complete(uploadId, { part_ids: [partId] });
  await world.clock.advance(60_000);
  await expect(client.files.create({ file: await file(401), purpose: 'batch' })).rejects.toMatchObject(usedUp);
  await client.files.create({ file: await file(400), purpose: 'batch' });
  await world.clock.advance(10 * 60_000);
  await sweepAll(world);
  await client.files.create({ file: await file(200), purpose: 'batch' });
});

test('an upload that takes all there is can be completed, and completions at once join its parts one by one', async () => {
  const server = await withQuotas({ filesBytes: 1000 });
  const { client, world } = server;
  const { uploadId, partId } = await uploaded(server, 1000);
  let joining = 0;
  let most = 0;
  const { getStream } = world.store;
  world.store.getStream = async (key, options) => {
    most = Math.max(most, ++joining);
    await new Promise((resolve) => setImmediate(resolve));
    joining--;
    return getStream.call(world.store, key, options);
  };
  const calls = Array.from({ length: 8 }, () => client.uploads.complete(uploadId, { part_ids: [partId] }));
  const files = (await Promise.all(calls)).map((upload) => upload.file?.id);
  expect(new Set(files).size).toBe(1);
  expect(most).toBe(1);
});

test('a body without content-length counts by its bytes', async () => {
  const server = await withQuotas({ filesBytes: 1000 });
  const requests = Array.from({ length: 20 }, (_, n) => ({ ...line, custom_id: `${n}` }));
  const send = (count: number, key?: string) =>
    server.call('/v1/batches', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
      body: new Blob([JSON.stringify({ requests: requests.slice(0, count) })]).stream(),
      duplex: 'half',
    } as RequestInit);
  const refused = await send(20);
  expect(refused.status).toBe(429);
  expect(await errorOf(refused)).toMatchObject({ code: 'insufficient_quota' });
  expect(server.world.store.keys().filter((key) => key.includes('/files/') || key.startsWith('open/'))).toEqual([]);
  expect((await send(6, 'k1')).status).toBe(200);
  expect((await send(6)).status).toBe(429);
  expect((await send(6, 'k1')).status, 'a repeat stores nothing').toBe(200);
});

test('two processes of the API share both quotas', async () => {
  const one = await withQuotas({ filesBytes: 1000, requestsPerMinute: 6 });
  const { store, clock, shared, tenants } = one.world;
  const two = await listening({}, plainOffer, { store, clock, shared: shared.another(), tenants });
  await one.client.files.create({ file: await file(600), purpose: 'batch' });
  await expect(two.client.files.create({ file: await file(401), purpose: 'batch' })).rejects.toMatchObject(usedUp);
  const left = async ({ call }: Listening) => (await call('/v1/models')).headers.get('x-ratelimit-remaining-requests');
  expect([await left(one), await left(two), await left(one), await left(two)]).toEqual(['3', '2', '1', '0']);
  expect((await one.call('/v1/models')).status).toBe(429);
  expect((await two.call('/v1/models')).status).toBe(429);
  await clock.advance(10_000);
  expect((await two.call('/v1/models')).status).toBe(200);
  expect((await one.call('/v1/models')).status).toBe(429);
});

test('while Redis is away each process counts requests by itself, and asks Redis seldom', async () => {
  const { call, world } = await withQuotas({ requestsPerMinute: 20 });
  world.shared.unavailable = true;
  for (let n = 0; n < 20; n++) expect((await call('/v1/models')).status).toBe(200);
  const refused = await call('/v1/models');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('x-ratelimit-limit-requests')).toBe('20');
  expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
  expect(world.shared.calls).toBe(1);
  world.shared.unavailable = false;
  await world.clock.advance(bounds.sharedRestMs);
  expect((await call('/v1/models')).headers.get('x-ratelimit-remaining-requests')).toBe('19');
});

test('a process notices once that Redis is away, whatever asks it', async () => {
  const server = await withQuotas({ openBatches: 2, requestsPerMinute: 20 });
  server.world.shared.unavailable = true;
  await create(server);
  await create(server);
  await expect(create(server)).rejects.toMatchObject(usedUp);
  expect(server.world.log.entries.filter(({ event }) => event === 'shared.away')).toHaveLength(1);
  expect(server.world.shared.calls).toBe(1);
});

test('open batches: a new one waits for the end of another, a repeat does not', async () => {
  const server = await withQuotas({ openBatches: 2 });
  const first = await create(server, { requests: [line] }, 'k1');
  await create(server);
  await expect(create(server)).rejects.toMatchObject(usedUp);
  expect(await create(server, { requests: [line] }, 'k1')).toMatchObject({ id: first.id });
  const own = await server.other.batches.create({ requests: [line] } as unknown as OpenAI.BatchCreateParams);
  expect(own.status).toBe('validating');
  await endBatch(server.world, first.id, null);
  await server.world.store.delete(`open/tenant-a/${first.id}`);
  await create(server);
});

test('requests per minute are those of the tenant', async () => {
  const { call } = await withQuotas({ requestsPerMinute: 3 });
  expect((await call('/v1/models')).headers.get('x-ratelimit-limit-requests')).toBe('3');
  await call('/v1/models');
  await call('/v1/models');
  const refused = await call('/v1/models');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('20');
  expect(refused.headers.get('x-should-retry'), 'a rate is worth another try').toBeNull();
});

test('a dry run says that the batch would be over the quota of tokens', async () => {
  const server = await withQuotas({ queuedTokens: 50 });
  const answer: unknown = await create(server, { requests: [line], eyrie: { dry_run: true } });
  expect(answer).toMatchObject({
    errors: { data: [{ code: 'token_limit_exceeded', line: null }] },
    eyrie: { valid: false, lines: 1, bad_lines: 0 },
  });
});

test('of creates at once as many go through as batches may be open, each counted once', async () => {
  const server = await withQuotas({ openBatches: 5 });
  const calls = Array.from({ length: 60 }, (_, n) => create(server, undefined, `key-${n % 30}`));
  const results = await Promise.allSettled(calls);
  const ids = new Set(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.id] : [])));
  expect(ids.size).toBe(5);
  for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject(usedUp);
  const open = await server.world.store.list('open/');
  expect(open.objects).toHaveLength(5);

  const [first = ''] = ids;
  await server.world.store.delete(keys.openBatch(tenantA, first));
  const again = await Promise.allSettled(Array.from({ length: 9 }, () => create(server)));
  expect(again.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});
