import { describe, expect, test } from 'vitest';
import { BatchRecords } from '../../../src/app/batch-records.js';
import { cancelBatch } from '../../../src/app/cancel-batch.js';
import { deleteBatch } from '../../../src/app/delete-batch.js';
import { listBatches } from '../../../src/app/list-batches.js';
import { readResults } from '../../../src/app/read-results.js';
import { viewBatch } from '../../../src/app/view-batch.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';

const lines = Array.from({ length: 300 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));

/** What a call asks of the store, with a latency of 20 ms, and how long it takes. */
async function cost<T>(
  service: FakeService,
  call: () => Promise<T>,
): Promise<{ calls: string[]; ms: number; result: T }> {
  const { store, clock } = service.world;
  store.calls.length = 0;
  store.fault = () => ({ delayMs: 20 });
  const startedMs = clock.now();
  let done: { result: T; ms: number } | undefined;
  const answer = call().then((result) => (done = { result, ms: clock.now() - startedMs }));
  await clock.until('the answer', () => done !== undefined);
  store.fault = () => undefined;
  const calls = store.calls.map(({ operation, key }) => `${operation} ${key.split('/').filter(Boolean).at(-1) ?? ''}`);
  return { ...(await answer), calls };
}

async function ended(): Promise<{ service: FakeService; id: string }> {
  const service = new FakeService();
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit(lines);
  await service.untilEnd(id);
  service.stopControls();
  return { service, id };
}

/** Two of five shards are decided; nothing goes on. */
async function running(): Promise<{ service: FakeService; id: string }> {
  const service = new FakeService({ sequenceMs: 60_000 });
  service.startControl();
  const worker = service.startGenerate();
  const { id } = await service.submit(lines);
  await service.world.clock.until('a shard', async () => (await service.view(id)).request_counts.completed > 0);
  service.world.queue.kill(worker);
  service.stopControls();
  // What the killed worker still did is done.
  await service.settle();
  return { service, id };
}

describe('a look at an ended batch', () => {
  test('costs two small reads, made side by side or after one another', async () => {
    const { service, id } = await ended();
    await service.view(id);
    const { calls, ms, result } = await cost(service, () => service.view(id));
    expect(calls).toEqual(['head deleted.json', 'list children']);
    expect(ms).toBeLessThanOrEqual(40);
    expect(result).toMatchObject({ status: 'completed', request_counts: { completed: 300 } });
  });

  test('says the same as the first look did, also of a batch that was cancelled', async () => {
    const { service, id } = await running();
    await cancelBatch(service.world, tenant, id);
    service.startControl();
    const first = await service.untilEnd(id);
    expect(first.cancelling_at).not.toBeNull();
    expect(await service.view(id)).toEqual(first);
    const fresh = { ...service.world, records: new BatchRecords(service.world.store, service.world.clock) };
    expect(await viewBatch(fresh, tenant, id)).toEqual(first);
  });

  test('finds nothing once it was deleted', async () => {
    const { service, id } = await ended();
    await service.view(id);
    await readResults(service.world, tenant, id, { after: null, limit: 1, merge: false });
    await deleteBatch(service.world, tenant, id);
    await expect(service.view(id)).rejects.toMatchObject({ code: 'not_found' });
    const page = { after: null, limit: 1, merge: false };
    await expect(readResults(service.world, tenant, id, page)).rejects.toMatchObject({ code: 'not_found' });
    expect((await listBatches(service.world, tenant, { after: null, limit: 10, order: 'desc' })).data).toEqual([]);
    service.startControl();
    await service.world.clock.advance(2 * bounds.removalDelayMs);
    await expect(service.view(id)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a look at a running batch', () => {
  test('costs five reads side by side', async () => {
    const { service, id } = await running();
    const { calls, ms } = await cost(service, () => service.view(id));
    expect(calls.toSorted()).toEqual([
      'get cancel.json',
      'get manifest.json',
      'head deleted.json',
      'list attempts',
      'list parts',
    ]);
    expect(ms).toBe(20);
  });

  test('reads the parts whose counts the board has lost side by side, once', async () => {
    const { service, id } = await running();
    const { completed } = (await service.view(id)).request_counts;
    service.world.progress.wipe();
    const parts = service.world.store.keys().filter((key) => key.includes('/parts/')).length;
    const first = await cost(service, () => service.view(id));
    expect(first.calls.filter((call) => call.endsWith('.jsonl'))).toHaveLength(parts);
    expect(first.ms).toBe(40);
    expect(first.result.request_counts.completed).toBe(completed);
    const again = await cost(service, () => service.view(id));
    expect(again.calls.filter((call) => call.endsWith('.jsonl'))).toEqual([]);
    expect(again.result.request_counts.completed).toBe(completed);
  });

  test('sees a cancel at once, whoever asked for it', async () => {
    const { service, id } = await running();
    await service.view(id);
    const other = { ...service.world, records: new BatchRecords(service.world.store, service.world.clock) };
    expect((await cancelBatch(other, tenant, id)).status).toBe('cancelling');
    expect((await service.view(id)).status).toBe('cancelling');
  });
});

test('a page of results reads its parts and little else', async () => {
  const { service, id } = await ended();
  const read = () => readResults(service.world, tenant, id, { after: null, limit: 10, merge: false });
  await read();
  const { calls } = await cost(service, read);
  expect(calls.filter((call) => /submit|plan/.test(call))).toEqual([]);
  expect(service.world.store.calls.filter(({ key }) => key === keys.part(tenant, id, 0))).toHaveLength(1);
});
