import { type OpenAI, ConflictError, toFile } from 'openai';
import { expect, test } from 'vitest';
import { batchObject } from '../../../src/contract/batch-object.js';
import { endBatch } from './fake-world.js';
import { listening, type Listening } from './listening.js';

const request = { endpoint: '/v1/completions', completion_window: '24h' } as const;

async function upload({ client }: Listening): Promise<string> {
  return (await client.files.create({ file: await toFile(Buffer.from('{}\n'), 'a.jsonl'), purpose: 'batch' })).id;
}

test('a batch is created, shown and cancelled with the official client', async () => {
  const server = await listening();
  const { client, world } = server;
  const input_file_id = await upload(server);
  const batch = await client.batches.create({ ...request, input_file_id, metadata: { run: 'nightly' } });
  expect(batchObject.parse(batch)).toMatchObject({
    object: 'batch',
    status: 'validating',
    input_file_id,
    metadata: { run: 'nightly' },
    output_file_id: null,
    request_counts: { total: 0, completed: 0, failed: 0 },
    expires_at: batch.created_at + 24 * 3600,
  });
  expect(await world.queue.backlog('plan')).toMatchObject({ waiting: 1 });
  expect(await client.batches.retrieve(batch.id)).toMatchObject({ id: batch.id });
  expect((await client.batches.cancel(batch.id)).status).toBe('cancelling');
  expect((await client.batches.cancel(batch.id)).status, 'again').toBe('cancelling');
});

test('an unknown input file is no error of the create call', async () => {
  const { client } = await listening();
  const batch = await client.batches.create({ ...request, input_file_id: 'file-unknown' });
  expect(batch.status).toBe('validating');
});

test.each([
  [{ endpoint: '/v1/embeddings' }, 'invalid_value', 'endpoint'],
  [{ completion_window: '48h' }, 'invalid_value', 'completion_window'],
  [{ metadata: { tags: ['a'] } }, 'invalid_type', 'metadata.tags'],
  [{ metadata: { k: 'v'.repeat(513) } }, 'invalid_value', 'metadata.k'],
  [{ input_file_id: undefined }, 'missing_required_parameter', 'input_file_id'],
  [{ input_file_id: 7 }, 'invalid_type', 'input_file_id'],
  [{ colour: 'red' }, 'unknown_parameter', 'colour'],
  [{ eyrie: { colour: 'red' } }, 'unknown_parameter', 'eyrie.colour'],
  [{ output_expires_after: { anchor: 'created_at', seconds: 1 } }, 'invalid_value', 'output_expires_after.seconds'],
])('a create with %j is refused', async (change, code, param) => {
  const { client } = await listening();
  const body = { ...request, input_file_id: 'file-01', ...change } as unknown as OpenAI.BatchCreateParams;
  await expect(client.batches.create(body)).rejects.toMatchObject({ status: 400, code, param });
});

test('pages of batches show each once, newest first', async () => {
  const server = await listening();
  const { client, other, world } = server;
  const input_file_id = await upload(server);
  const made: string[] = [];
  for (let n = 0; n < 7; n++) {
    made.push((await client.batches.create({ ...request, input_file_id })).id);
    await world.clock.advance(1);
  }
  const seen: string[] = [];
  for await (const batch of client.batches.list({ limit: 3 })) seen.push(batch.id);
  expect(seen).toEqual(made.toReversed());
  const last = await client.batches.list({ limit: 7 });
  expect(last.has_more).toBe(false);
  expect((await other.batches.list()).data).toEqual([]);
  await expect(client.batches.list({ limit: 101 })).rejects.toMatchObject({ status: 400, param: 'limit' });
});

test('a batch belongs to its tenant alone', async () => {
  const server = await listening();
  const { client, other } = server;
  const batch = await client.batches.create({ ...request, input_file_id: await upload(server) });
  await expect(other.batches.retrieve(batch.id)).rejects.toMatchObject({ status: 404 });
  await expect(other.batches.cancel(batch.id)).rejects.toMatchObject({ status: 404 });
  expect((await client.batches.retrieve(batch.id)).status).toBe('validating');
  const own = await other.batches.create({ ...request, input_file_id: 'file-unknown' });
  const listed = (await other.batches.list()).data.map(({ id }) => id);
  expect(listed, 'a tenant name that looks like an id confuses no one').toEqual([own.id]);
});

test('an idempotency key makes one batch, and refuses another body', async () => {
  const server = await listening();
  const { client } = server;
  const input_file_id = await upload(server);
  const create = (key: string, metadata: Record<string, string>) =>
    client.batches.create({ ...request, input_file_id, metadata }, { headers: { 'Idempotency-Key': key } });
  const batches = await Promise.all(Array.from({ length: 20 }, () => create('k1', { a: '1' })));
  expect(new Set(batches.map(({ id }) => id)).size).toBe(1);
  await expect(create('k1', { a: '2' })).rejects.toMatchObject({ status: 422, code: 'idempotency_key_reused' });
  await expect(create('k'.repeat(256), {})).rejects.toMatchObject({ status: 400, param: 'Idempotency-Key' });
  expect((await client.batches.list()).data).toHaveLength(1);
});

test('a client that repeats a call whose answer it did not see makes one batch', async () => {
  const server = await listening();
  const { call, client, world } = server;
  const body = JSON.stringify({ ...request, input_file_id: await upload(server) });
  const create = async (retry: string) => {
    const headers = { 'content-type': 'application/json', 'x-stainless-retry-count': retry };
    return ((await (await call('/v1/batches', { method: 'POST', headers, body })).json()) as { id: string }).id;
  };
  const first = await create('0');
  expect(await create('1')).toBe(first);
  expect(await create('2')).toBe(first);
  expect(await create('0'), 'two deliberate creates stay two').not.toBe(first);
  expect((await client.batches.list()).data).toHaveLength(2);
  expect(await world.queue.backlog('plan')).toMatchObject({ waiting: 2 });
});

test('the cancel of a finished batch is a 409 that no client repeats', async () => {
  const server = await listening();
  const { client, world } = server;
  const batch = await client.batches.create({ ...request, input_file_id: await upload(server) });
  await endBatch(world, batch.id, null);
  const calls = () =>
    world.log.of('http.request').filter(({ fields }) => fields['route'] === '/v1/batches/:batch_id/cancel').length;
  const error = await client.batches.cancel(batch.id).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ConflictError);
  expect(error).toMatchObject({ message: expect.stringContaining("Cannot cancel a batch with status 'completed'.") });
  expect(calls()).toBe(1);
});

test('batches are accepted while the queue is away', async () => {
  const server = await listening();
  const input_file_id = await upload(server);
  server.world.queue.unavailable = true;
  expect((await server.client.batches.create({ ...request, input_file_id })).status).toBe('validating');
});
