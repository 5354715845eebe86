import { toFile } from 'openai';
import { expect, test } from 'vitest';
import { encodePart } from '../../../src/app/part.js';
import { resultsPage } from '../../../src/contract/batch-results.js';
import { keys } from '../../../src/domain/object-keys.js';
import { endBatch, noShapes, putJson } from './fake-world.js';
import { errorOf, listening, type Listening } from './listening.js';

/** Result line `n`; every third one failed. The odd spacing shows that it is not parsed and written anew. */
const line = (n: number): string => `{ "id":"batch_req_${n}",  "custom_id":"c-${n}", "text":"zeile ü ${n}" }`;

const shard = (n: number) => ({
  n,
  byteStart: 0,
  byteEnd: 1,
  firstLine: n * 3,
  count: n === 3 ? 1 : 3,
  tokens: 1,
  sha256: '',
  rejected: [],
});

const partOf = (n: number, records: Parameters<typeof encodePart>[1]): Uint8Array =>
  encodePart({ shard: n, verdict: null, shapes: noShapes, worker: 'w', startedMs: 0, finishedMs: 1 }, records).bytes;

class RunningBatch {
  readonly server: Listening;
  readonly id: string;

  constructor(server: Listening, id: string) {
    this.server = server;
    this.id = id;
  }

  /** Ten lines in four shards of 3, 3, 3 and 1. */
  async plan(): Promise<void> {
    await putJson(this.server.world, keys.plan('tenant-a', this.id), {
      v: 1,
      kind: 'work',
      plannedMs: 1,
      endpoint: '/v1/completions',
      model: 'm',
      lines: 10,
      tokens: 4,
      shards: [0, 1, 2, 3].map(shard),
    });
  }

  async decide(n: number): Promise<void> {
    const count = n === 3 ? 1 : 3;
    const records = Array.from({ length: count }, (_, at) => ({
      ok: (n * 3 + at) % 3 !== 2,
      json: line(n * 3 + at),
      inputTokens: 1,
      outputTokens: 1,
    }));
    await this.server.world.store.put(keys.part('tenant-a', this.id, n), partOf(n, records));
  }

  async end(): Promise<void> {
    await endBatch(this.server.world, this.id, null);
  }

  async page(query: string) {
    const response = await this.server.call(`/v1/batches/${this.id}/results${query}`);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    const page = resultsPage.parse(JSON.parse(text));
    return { ids: page.data.map(({ id }) => Number(id.slice('batch_req_'.length))), next: page.next ?? '', page, text };
  }
}

async function runningBatch(): Promise<RunningBatch> {
  const server = await listening();
  const file = await server.client.files.create({ file: await toFile(Buffer.from('{}\n'), 'a'), purpose: 'batch' });
  const batch = await server.client.batches.create({
    endpoint: '/v1/completions',
    completion_window: '24h',
    input_file_id: file.id,
  });
  return new RunningBatch(server, batch.id);
}

test('finished lines are read while the batch runs, in line order, and never change', async () => {
  const batch = await runningBatch();
  expect((await batch.page('')).page, 'before the plan').toMatchObject({ data: [], complete: false });
  await batch.plan();
  await batch.decide(0);
  await batch.decide(2);
  const first = await batch.page('?limit=2');
  expect(first.ids).toEqual([0, 1]);
  const second = await batch.page(`?limit=5&after=${first.next}`);
  expect(second.ids, 'shard 1 is undecided and holds shard 2 back').toEqual([2]);
  const waiting = await batch.page(`?after=${second.next}`);
  expect(waiting.page).toMatchObject({ data: [], complete: false });
  expect(waiting.next).toBe(second.next);
  await batch.decide(1);
  await batch.decide(3);
  const rest = await batch.page(`?after=${waiting.next}`);
  expect(rest.ids).toEqual([3, 4, 5, 6, 7, 8, 9]);
  expect(rest.page.complete, 'all lines are there, but the batch has not ended').toBe(false);
  await batch.end();
  expect(await batch.page(`?after=${rest.next}`)).toMatchObject({ ids: [], page: { next: null, complete: true } });
  const again = await batch.page(`?limit=2&after=${first.next}`);
  expect(again.ids, 'an old cursor still works').toEqual([2, 3]);
  const whole = await batch.page('');
  expect(whole.ids).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(whole.page.complete).toBe(true);
  expect(whole.text).toContain(line(4));
});

test('a page ends before the line that would pass its bytes; a larger line is a page of its own', async () => {
  const batch = await runningBatch();
  await batch.plan();
  const part = (n: number, bytes: readonly number[]) =>
    batch.server.world.store.put(
      keys.part('tenant-a', batch.id, n),
      partOf(
        n,
        bytes.map((length, at) => ({
          ok: true,
          json: JSON.stringify({ id: `batch_req_${3 * n + at}`, custom_id: 'c', text: 'x'.repeat(length) }),
          inputTokens: 1,
          outputTokens: 1,
        })),
      ),
    );
  await part(0, [1_000_000, 3_000_000, 6_000_000]);
  await part(1, [3_000_000, 1, 1]);
  await part(2, [1, 3_000_000, 1]);
  const pages: number[][] = [];
  for (let after = ''; pages.flat().length < 9;) {
    const page = await batch.page(`?limit=1000${after}`);
    pages.push(page.ids);
    after = `&after=${page.next}`;
  }
  expect(pages).toEqual([[0, 1], [2], [3, 4, 5, 6], [7, 8]]);
});

test('a batch that failed validation is complete without lines', async () => {
  const batch = await runningBatch();
  await putJson(batch.server.world, keys.plan('tenant-a', batch.id), {
    v: 1,
    kind: 'verdict',
    plannedMs: 1,
    verdict: 'failed',
    errors: [],
  });
  expect((await batch.page('')).page.complete).toBe(false);
  await batch.end();
  expect((await batch.page('')).page).toMatchObject({ data: [], next: null, complete: true });
});

test('foreign and forged cursors, limits and batches are refused', async () => {
  const batch = await runningBatch();
  const { client } = batch.server;
  const request = { endpoint: '/v1/completions', completion_window: '24h', input_file_id: 'file-0' } as const;
  const other = new RunningBatch(batch.server, (await client.batches.create(request)).id);
  const foreign = (await other.page('')).next;
  for (const query of [`after=${foreign}`, 'after=x', 'after=MDpiYXRjaF8w', 'limit=0', 'limit=1001', 'colour=red'])
    expect((await batch.server.call(`/v1/batches/${batch.id}/results?${query}`)).status, query).toBe(400);
  const headers = { authorization: 'Bearer ey_b_secret' };
  const stranger = await batch.server.call(`/v1/batches/${batch.id}/results`, { headers });
  expect(stranger.status).toBe(404);
  expect((await errorOf(stranger)).code).toBe('not_found');
});
