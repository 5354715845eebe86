import { ConflictError, toFile } from 'openai';
import { expect, test } from 'vitest';
import { encodePart } from '../../../src/app/part.js';
import { batchObject, type BatchObject } from '../../../src/contract/batch-object.js';
import { keys } from '../../../src/domain/object-keys.js';
import { ShardDigest } from '../../../src/app/shard-digest.js';
import { endBatch, noShapes, putJson, tenantA } from './fake-world.js';
import { errorOf, listening, type Listening } from './listening.js';

/** An ended batch of two lines, of which the second was not run. */
async function ended({ client, world }: Listening): Promise<string> {
  const lines = ['{"custom_id":"a"}', '{"custom_id":"b"}'];
  const content = Buffer.from(`${lines.join('\n')}\n`);
  const file = await client.files.create({ file: await toFile(content, 'a.jsonl'), purpose: 'batch' });
  const { id } = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/completions',
    completion_window: '24h',
  });
  const digest = new ShardDigest();
  for (const line of lines) digest.add(Buffer.from(line));
  await putJson(world, keys.plan(tenantA, id), {
    v: 1,
    kind: 'work',
    plannedMs: 1,
    endpoint: '/v1/completions',
    model: 'm',
    lines: 2,
    tokens: 2,
    shards: [
      {
        n: 0,
        byteStart: 0,
        byteEnd: content.length,
        firstLine: 0,
        count: 2,
        tokens: 2,
        sha256: digest.hex(),
        rejected: [],
      },
    ],
  });
  const records = [
    { ok: true, json: '{"id":"1","custom_id":"a"}', inputTokens: 1, outputTokens: 1 },
    {
      ok: false,
      json: '{"id":"2","custom_id":"b","response":null,"error":{"code":"batch_expired","message":"Too late."}}',
      inputTokens: 0,
      outputTokens: 0,
    },
  ];
  const summary = { shard: 0, verdict: null, shapes: noShapes, worker: 'w', startedMs: 0, finishedMs: 1 };
  await world.store.put(keys.part(tenantA, id, 0), encodePart(summary, records).bytes);
  await endBatch(world, id, null);
  return id;
}

test('failed lines are run again with the official client’s plain calls, with a body and without', async () => {
  const server = await listening();
  const { client } = server;
  const id = await ended(server);
  const child = await client.post<BatchObject>(`/batches/${id}/retry_failed`);
  expect(batchObject.parse(child)).toMatchObject({
    object: 'batch',
    status: 'validating',
    eyrie: { parent_batch_id: id, child_batch_ids: [] },
  });
  expect(await (await client.files.content(child.input_file_id)).text()).toBe('{"custom_id":"b"}\n');
  expect(await client.post(`/batches/${id}/retry_failed`, { body: { include: 'all' } })).toMatchObject({
    id: child.id,
  });
  expect(await client.batches.retrieve(id)).toMatchObject({ eyrie: { child_batch_ids: [child.id] } });
  const merged = await server.call(`/v1/batches/${id}/results?merge=true`);
  expect(await merged.json(), 'the second line is under way').toMatchObject({ data: [{ id: '1' }], complete: false });
});

test.each([
  [{ include: 'some' }, 'include'],
  [{ include: [] }, 'include'],
  [{ include: ['no_such_code'] }, 'include'],
  [{ colour: 'red' }, 'colour'],
])('a retry with %j is refused', async (body, param) => {
  const server = await listening();
  const id = await ended(server);
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await server.call(`/v1/batches/${id}/retry_failed`, init);
  expect(response.status).toBe(400);
  expect((await errorOf(response)).param).toMatch(new RegExp(`^${param}`));
});

test('where there is nothing to retry the client is told once', async () => {
  const server = await listening();
  const { client, world } = server;
  const id = await ended(server);
  const options = { body: { include: ['numeric_error'] } };
  const error = await client.post(`/batches/${id}/retry_failed`, options).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ConflictError);
  expect(error).toMatchObject({ code: 'nothing_to_retry', param: 'include' });
  expect(world.log.of('http.request').filter(({ fields }) => fields['status'] === 409)).toHaveLength(1);
});
