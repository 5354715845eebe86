import { toFile, type OpenAI } from 'openai';
import { expect, test } from 'vitest';
import { plainOffer } from '../../../src/domain/offer.js';
import type { Quotas } from '../../../src/domain/quotas.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { endBatch, fakeWorld } from './fake-world.js';
import { listening, type Listening } from './listening.js';

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

test('uploads in parts and inline requests count by what they declare', async () => {
  const server = await withQuotas({ filesBytes: 1000 });
  const declared = { bytes: 1001, filename: 'a.jsonl', purpose: 'batch', mime_type: 'application/jsonl' } as const;
  await expect(server.client.uploads.create(declared)).rejects.toMatchObject(usedUp);
  await server.client.uploads.create({ ...declared, bytes: 1000 });
  const requests = Array.from({ length: 20 }, (_, n) => ({ ...line, custom_id: `${n}` }));
  await expect(create(server, { requests })).rejects.toMatchObject(usedUp);
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
