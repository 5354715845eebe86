import { setTimeout as sleep } from 'node:timers/promises';
import { APIError, toFile, type OpenAI } from 'openai';
import { beforeEach, expect, test } from 'vitest';
import { BatchRecords } from '../../../../src/app/batch-records.js';
import { FolderStore } from '../../../../src/adapters/folder/folder-store.js';
import { SystemClock } from '../../../../src/adapters/system-clock/system-clock.js';
import type { MemoryStore } from '../../../support/memory-store.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { listening, type Listening } from '../listening.js';

// Calls that come at the same time, over a store whose operations really overlap.
const atOnce = 40;
const races = 20;

let server: Listening;
beforeEach(async () => {
  const store = await FolderStore.open(await tempFolder());
  // Nothing here looks into the store behind the service's back, which is all that a MemoryStore has more.
  const records = new BatchRecords(store, new SystemClock());
  server = await listening({}, undefined, { store: store as unknown as MemoryStore, records });
});

const create = (text: string): Promise<OpenAI.Batch> => {
  const requests = [{ custom_id: 'a', body: { model: 'falcon', prompt: text, max_tokens: 5 } }];
  const body = { endpoint: '/v1/completions', completion_window: '24h', eyrie: { requests } };
  const client = server.client.withOptions({ maxRetries: 0 });
  return client.batches.create(body as unknown as OpenAI.BatchCreateParams, { headers: { 'Idempotency-Key': 'key' } });
};

const statusOf = (settled: PromiseSettledResult<unknown>): number => {
  if (settled.status === 'fulfilled') return 200;
  if (settled.reason instanceof APIError) return (settled.reason.status as number | undefined) ?? 0;
  throw settled.reason;
};

test('one Idempotency-Key, 40 times at once: one batch, and all calls get it', async () => {
  const batches = await Promise.all(Array.from({ length: atOnce }, () => create('one')));
  expect(new Set(batches.map(({ id }) => id)).size).toBe(1);
  expect((await server.client.batches.list()).data).toHaveLength(1);
  expect((await server.client.files.list()).data).toHaveLength(1);
});

test('two bodies under one key, 20 times each at once: one batch of one body, the other is refused each time', async () => {
  const settled = await Promise.allSettled(
    Array.from({ length: atOnce }, (_, at) => create(at % 2 === 0 ? 'even' : 'odd')),
  );
  const statuses = settled.map(statusOf);
  const winner = statuses.indexOf(200) % 2;
  expect(statuses).toEqual(statuses.map((_, at) => (at % 2 === winner ? 200 : 422)));
  const [batch, ...others] = (await server.client.batches.list()).data;
  expect(others).toEqual([]);
  const input = await (await server.client.files.content(batch?.input_file_id ?? '')).text();
  expect(input).toContain(winner === 0 ? 'even' : 'odd');
});

test('an upload completed and cancelled at once has one outcome, twenty times', async () => {
  const client = server.client.withOptions({ maxRetries: 0 });
  for (let race = 0; race < races; race++) {
    const upload = await client.uploads.create({
      purpose: 'batch',
      filename: `${race}.jsonl`,
      bytes: 6,
      mime_type: 'application/jsonl',
    });
    const part = await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from('sesame'), 'p') });
    // A completion takes some ms, so that a cancellation meets each step of one.
    const [completed, cancelled] = await Promise.allSettled([
      client.uploads.complete(upload.id, { part_ids: [part.id] }),
      sleep(race * 2).then(() => client.uploads.cancel(upload.id)),
    ]);
    const pair = `${statusOf(completed)} ${statusOf(cancelled)}`;
    expect(['200 400', '400 200'], `race ${race}`).toContain(pair);
    const files = (await client.files.list()).data.filter(({ filename }) => filename === `${race}.jsonl`);
    expect(files, `race ${race}: ${pair}`).toHaveLength(pair === '200 400' ? 1 : 0);
  }
});
