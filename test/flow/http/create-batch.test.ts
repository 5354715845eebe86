import type { OpenAI } from 'openai';
import { describe, expect, test } from 'vitest';
import { completionWindows } from '../../../src/domain/completion-window.js';
import { keys } from '../../../src/domain/object-keys.js';
import { tenantA } from './fake-world.js';
import { listening, errorOf, type Listening } from './listening.js';

const model = 'falcon';
const line = (id: string) => ({ custom_id: id, body: { model, prompt: `prompt ${id}`, max_tokens: 5 } });
const message = (id: string) => ({ custom_id: id, params: { model, max_tokens: 5, messages: [] } });

type Body = OpenAI.BatchCreateParams;
const create = ({ client }: Listening, body: object, key?: string) =>
  client.batches.create(body as Body, key === undefined ? {} : { headers: { 'Idempotency-Key': key } });

async function inputLines({ client }: Listening, fileId: string): Promise<unknown[]> {
  const text = await (await client.files.content(fileId)).text();
  return text
    .trimEnd()
    .split('\n')
    .map((json) => JSON.parse(json) as unknown);
}

describe('requests in the body', () => {
  test('become the input file of the batch, with method and url filled in', async () => {
    const server = await listening();
    const requests = [line('a'), { ...line('b'), method: 'POST', url: '/v1/completions' }];
    const batch = await create(server, {
      endpoint: '/v1/completions',
      completion_window: '24h',
      eyrie: { requests },
    });
    expect(batch).toMatchObject({ status: 'validating', endpoint: '/v1/completions' });
    expect(await inputLines(server, batch.input_file_id)).toEqual(
      ['a', 'b'].map((id) => ({ ...line(id), method: 'POST', url: '/v1/completions' })),
    );
    const file = await server.client.files.retrieve(batch.input_file_id);
    expect(file).toMatchObject({ purpose: 'batch', filename: `${batch.id}_input.jsonl` });
    expect((await server.client.files.list()).data.map(({ id }) => id)).toEqual([batch.input_file_id]);
  });

  test("may stand at the top, in Anthropic's words, without endpoint and window", async () => {
    const server = await listening();
    const requests = [message('a'), message('b')];
    const batch = await create(server, { requests });
    expect(batch).toMatchObject({ status: 'validating', completion_window: '24h' });
    expect(await inputLines(server, batch.input_file_id), 'as they were given').toEqual(requests);
  });

  test('a repeat under the same key meets the batch and its file, also side by side', async () => {
    const server = await listening();
    const body = { eyrie: { requests: [line('a')] } };
    const batches = await Promise.all(Array.from({ length: 10 }, () => create(server, body, 'k')));
    expect(new Set(batches.map(({ id, input_file_id }) => `${id} ${input_file_id}`)).size).toBe(1);
    await server.world.clock.advance(60_000);
    expect(await create(server, body, 'k')).toMatchObject({ id: batches[0]?.id });
    expect((await server.client.files.list()).data).toHaveLength(1);
    expect((await server.client.batches.list()).data).toHaveLength(1);
    await expect(create(server, { eyrie: { requests: [line('b')] } }, 'k')).rejects.toMatchObject({
      status: 422,
      code: 'idempotency_key_reused',
    });
    expect((await server.client.files.list()).data, 'the refused requests were not stored').toHaveLength(1);
  });

  test('two bodies under one key, side by side: one wins, and its batch reads its own requests', async () => {
    const server = await listening();
    const bodies = ['a', 'b'].map((id) => ({ eyrie: { requests: [line(id)] } }));
    const settled = await Promise.allSettled(bodies.map((body) => create(server, body, 'k')));
    const won = settled.findIndex(({ status }) => status === 'fulfilled');
    expect(settled.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const [batch] = (await server.client.batches.list()).data;
    expect(await inputLines(server, batch?.input_file_id ?? '')).toMatchObject([{ custom_id: won === 0 ? 'a' : 'b' }]);
  });

  test("a client's own retry meets the batch whose answer it did not see", async () => {
    const server = await listening();
    const send = async (retry: string) => {
      const headers = { 'content-type': 'application/json', 'x-stainless-retry-count': retry };
      const body = JSON.stringify({ requests: [line('a')] });
      return (await (await server.call('/v1/batches', { method: 'POST', headers, body })).json()) as { id: string };
    };
    const first = await send('0');
    expect(await send('1')).toMatchObject({ id: first.id });
    expect((await send('0')).id).not.toBe(first.id);
  });

  test('a body of some megabytes is taken, one over the limit is not', async () => {
    const server = await listening();
    const prompt = 'x'.repeat(1000);
    const many = (count: number) => ({
      requests: Array.from({ length: count }, (_, n) => ({ ...line(`${n}`), prompt })),
    });
    const batch = await create(server, many(3000));
    expect((await server.client.files.retrieve(batch.input_file_id)).bytes).toBeGreaterThan(3_000_000);
    const response = await server.call('/v1/batches', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(many(17_000)),
    });
    expect(response.status).toBe(413);
    expect(await errorOf(response)).toMatchObject({ code: 'body_too_large' });
  });
});

test.each([
  [{ requests: [] }, 'invalid_value', 'requests'],
  [{ requests: [7] }, 'invalid_type', 'requests[0]'],
  [{ requests: {} }, 'invalid_type', 'requests'],
  [{ requests: [line('a')], eyrie: { requests: [line('a')] } }, 'invalid_value', 'requests'],
  [{ requests: [line('a')], input_file_id: 'file-01' }, 'invalid_value', 'input_file_id'],
  [{ input_file_id: 'file-01', completion_window: '24h' }, 'missing_required_parameter', 'endpoint'],
  [{ input_file_id: 'file-01', endpoint: '/v1/completions' }, 'missing_required_parameter', 'completion_window'],
  [{ requests: [line('a')], completion_window: '48h' }, 'invalid_value', 'completion_window'],
  [{ requests: [line('a')], completion_window: '' }, 'invalid_value', 'completion_window'],
  [{ requests: [line('a')], completion_window: 24 }, 'invalid_type', 'completion_window'],
  [{ requests: [line('a')], eyrie: { priority: 11 } }, 'invalid_value', 'eyrie.priority'],
  [{ requests: [line('a')], eyrie: { priority: 0.5 } }, 'invalid_type', 'eyrie.priority'],
  [{ requests: [line('a')], eyrie: { priority: 'high' } }, 'invalid_type', 'eyrie.priority'],
  [{ requests: [line('a')], eyrie: { deadline: 'soon' } }, 'invalid_value', 'eyrie.deadline'],
  [{ requests: [line('a')], eyrie: { deadline: '2026-01-31T18:00:00' } }, 'invalid_value', 'eyrie.deadline'],
  [{ requests: [line('a')], eyrie: { deadline: 1 } }, 'invalid_value', 'eyrie.deadline'],
  [{ requests: [line('a')], eyrie: { deadline: 250_000_000_000 } }, 'invalid_value', 'eyrie.deadline'],
  [{ requests: [line('a')], eyrie: { dry_run: 'yes' } }, 'invalid_type', 'eyrie.dry_run'],
])('%j is refused', async (body, code, param) => {
  const server = await listening();
  await expect(create(server, body)).rejects.toMatchObject({ status: 400, code, param });
  expect(server.world.store.keys().filter((key) => key.includes('/b/') || key.includes('/files/'))).toEqual([]);
});

test('windows beside 24h are those of the configuration', async () => {
  const offer = { windows: completionWindows(['1h', '7d']), prices: null };
  const server = await listening({}, offer);
  const hour = await create(server, { requests: [line('a')], completion_window: '1h' });
  expect(hour).toMatchObject({ completion_window: '1h', expires_at: hour.created_at + 3600 });
  await expect(create(server, { requests: [line('a')], completion_window: '2h' })).rejects.toMatchObject({
    code: 'invalid_value',
    message: expect.stringContaining('"1h", "7d", "24h"'),
  });
});

test('a deadline is a time within the window, given as a number or a text', async () => {
  const server = await listening();
  const at = Math.floor(server.world.clock.now() / 1000) + 7200;
  for (const deadline of [at, new Date(at * 1000).toISOString()]) {
    const batch = await create(server, { requests: [line('a')], eyrie: { deadline, priority: -3 } });
    const text = server.world.store.text(keys.submit(tenantA, batch.id)) ?? '';
    expect(JSON.parse(text)).toMatchObject({ deadlineMs: at * 1000, priority: -3 });
  }
});

test('a repeated create is answered after its deadline, too', async () => {
  const server = await listening();
  const deadline = Math.floor(server.world.clock.now() / 1000) + 60;
  const body = { requests: [line('a')], eyrie: { deadline } };
  const first = await create(server, body, 'k');
  await server.world.clock.advance(120_000);
  expect(await create(server, body, 'k')).toMatchObject({ id: first.id });
});
