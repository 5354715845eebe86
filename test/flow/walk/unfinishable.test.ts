import { describe, expect, test } from 'vitest';
import { readResults } from '../../../src/app/read-results.js';
import { retryFailed } from '../../../src/app/retry/retry-failed.js';
import { bounds } from '../../../src/domain/bounds.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { keys } from '../../../src/domain/object-keys.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import type { StoreCall } from '../../support/memory-store.js';

const lines = Array.from({ length: 130 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));
const day = 24 * 3600 * 1000;

const offer = {
  windows: new Map([
    ['24h', 24 * 3600],
    ['1h', 3600],
  ]),
  prices: null,
};

function start(): FakeService {
  const service = new FakeService({ offer, webhookUrl: 'https://example.com/hook' });
  service.startControl();
  service.startGenerate();
  return service;
}

const results = async (service: FakeService, id: string): Promise<{ id: string; custom_id: string }[]> => {
  const page = await readResults(service.world, tenant, id, { after: null, limit: 1000, merge: false });
  expect(page.next).toBeNull();
  return page.lines.map((line) => JSON.parse(Buffer.from(line).toString()) as { id: string; custom_id: string });
};

/** Changes the batch's first part as soon as it is there. */
async function damage(service: FakeService, id: string, damaged: (text: string) => string): Promise<void> {
  const key = keys.part(tenant, id, 0);
  const { store, clock } = service.world;
  store.fault = ({ operation, key: listed }) =>
    operation === 'putStream' && listed.includes('/out/') ? { fail: 'before' } : undefined;
  await clock.until('the first part', () => store.text(key) !== null);
  await store.put(key, Buffer.from(damaged(store.text(key) ?? '')));
  store.fault = () => undefined;
}

describe('a batch with a part that cannot be read', () => {
  for (const [name, damaged] of [
    ['cut off', (text: string) => text.slice(0, text.length / 2)],
    ['without a line', (text: string) => text.split('\n').toSpliced(3, 1).join('\n')],
    ['that is no JSON', () => 'garbage\n'],
    ['that is empty', () => ''],
  ] as const)
    test(`${name} fails, keeps all other results, and names the lines whose results are lost`, async () => {
      const service = start();
      const { id } = await service.submit(lines);
      await damage(service, id, damaged);
      const batch = await service.untilEnd(id);
      expect(batch).toMatchObject({
        status: 'failed',
        request_counts: { total: 130, completed: 66, failed: 64 },
        errors: { data: [{ code: 'internal_error' }] },
        eyrie: { attempts: { failed: bounds.stepAttemptsMax }, given_up: { internal_error: 64 } },
      });
      expect(service.results(id, 'output').map((line) => line.custom_id)).toEqual(
        Array.from({ length: 66 }, (_, at) => `line-${at + 64}`),
      );
      expect(service.results(id, 'errors').map((line) => line.custom_id)).toEqual(
        Array.from({ length: 64 }, (_, at) => `line-${at}`),
      );
      const shown = await results(service, id);
      expect(shown.map((line) => line.custom_id)).toEqual(Array.from({ length: 130 }, (_, at) => `line-${at}`));
      // The same bytes whenever they are read.
      expect(await results(service, id)).toEqual(shown);
      const retry = await retryFailed(service.world, {
        tenant,
        batchId: id,
        request: {},
        idempotencyKey: null,
        retryCount: 0,
      });
      expect(await service.untilEnd(retry.id)).toMatchObject({ request_counts: { total: 64, completed: 64 } });
    });

  test('of a later version is left to a program that knows it', async () => {
    const service = start();
    const { id } = await service.submit(lines);
    const before: string[] = [];
    await damage(service, id, (text) => {
      before.push(text);
      return text.replace('"v":1', '"v":2').replace('"shard":', '"piece":');
    });
    await service.world.clock.advance(day / 12);
    expect((await service.view(id)).status).toBe('finalizing');
    await service.world.store.put(keys.part(tenant, id, 0), Buffer.from(before[0] ?? ''));
    expect(await service.untilEnd(id)).toMatchObject({ status: 'completed', request_counts: { completed: 130 } });
  });
});

describe('a batch whose result files cannot be written', () => {
  const refuse = (error: Error) => (call: StoreCall) =>
    call.operation === 'putStream' && call.key.includes('/out/') ? { fail: 'before' as const, error } : undefined;

  test('for a reason of its own fails within a few attempts; its results stay readable, and nothing of it is queued again', async () => {
    const service = start();
    service.world.store.fault = refuse(new EyrieError('internal_error', 'A fault of the test.'));
    const { id } = await service.submit(lines);
    const before = service.world.clock.now();
    const batch = await service.untilEnd(id);
    expect(service.world.clock.now() - before).toBeLessThan(10 * 60 * 1000);
    expect(batch).toMatchObject({
      status: 'failed',
      output_file_id: null,
      error_file_id: null,
      request_counts: { total: 130, completed: 130, failed: 0 },
      errors: { data: [{ code: 'internal_error' }] },
    });
    expect(batch.errors?.data[0]?.message).toContain(`GET /v1/batches/${id}/results`);
    expect(await results(service, id)).toHaveLength(130);
    await service.settle();
    // Who is told of the end is told why.
    expect(service.posts.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      { type: 'batch.failed', data: { id, status: 'failed', errors: [{ code: 'internal_error' }], errors_total: 1 } },
    ]);
    const added = service.world.queue.added.length;
    const calls = service.world.store.calls.filter(({ operation }) => operation === 'putStream').length;
    await service.settle();
    expect(service.world.queue.added.length).toBe(added);
    expect(service.world.store.calls.filter(({ operation }) => operation === 'putStream').length).toBe(calls);
    expect(service.world.store.keys().filter((key) => key.startsWith('open/'))).toEqual([]);
  });

  test('because the disk is full waits until there is room', async () => {
    const service = start();
    service.world.store.fault = refuse(new EyrieError('disk_full', 'No space is left.'));
    const { id } = await service.submit(lines);
    await service.world.clock.advance(day / 12);
    expect((await service.view(id)).status).toBe('finalizing');
    service.world.store.fault = () => undefined;
    expect(await service.untilEnd(id)).toMatchObject({ status: 'completed', request_counts: { completed: 130 } });
  });

  test('until two hours behind its window fails then', async () => {
    const service = start();
    service.world.store.fault = refuse(new EyrieError('store_unavailable', 'Access denied.'));
    const { id } = await service.submit(lines, { completion_window: '1h' });
    const batch = await service.untilEnd(id);
    expect(batch).toMatchObject({ status: 'failed', errors: { data: [{ code: 'store_unavailable' }] } });
    expect(service.world.clock.now() / 1000 - batch.created_at).toBeLessThan(3.2 * 3600);
    expect(await results(service, id)).toHaveLength(130);
  });
});

test('an expired batch whose finish meets a full disk once has its files all the same', async () => {
  const service = new FakeService({ offer });
  service.startControl();
  let refused = 0;
  service.world.store.fault = ({ operation, key }) =>
    operation === 'putStream' && key.includes('/out/') && refused++ < 4
      ? { fail: 'before', error: new EyrieError('disk_full', 'No space is left.') }
      : undefined;
  const { id } = await service.submit(lines, { completion_window: '1h' });
  expect(await service.untilEnd(id)).toMatchObject({
    status: 'expired',
    request_counts: { failed: 130 },
    errors: null,
  });
  expect(refused).toBeGreaterThan(4);
  expect(service.results(id, 'errors')).toHaveLength(130);
});

test('a shard whose part can never be written ends with its batch, an hour behind the window', async () => {
  const service = start();
  service.world.store.fault = ({ operation, key }) =>
    operation === 'create' && key.endsWith('parts/000001.jsonl') ? { fail: 'before' } : undefined;
  const { id } = await service.submit(lines, { completion_window: '1h' });
  const batch = await service.untilEnd(id);
  expect(batch).toMatchObject({
    status: 'expired',
    request_counts: { total: 130, completed: 66, failed: 64 },
    eyrie: { given_up: { batch_expired: 64 } },
  });
  expect(service.world.clock.now() / 1000 - batch.created_at).toBeLessThan(2.2 * 3600);
  expect(await results(service, id)).toHaveLength(130);
});

describe('a batch with a damaged record', () => {
  test('of its plan fails and says so; other batches of its tenant are not affected', async () => {
    const service = start();
    const { id } = await service.submit(lines);
    const { store, clock } = service.world;
    await clock.until('the plan', () => store.text(keys.plan(tenant, id)) !== null);
    await store.put(keys.plan(tenant, id), Buffer.from('{"v":1,"kind":"wo'));
    service.stopControls();
    service.startControl();
    const other = await service.submit(lines);
    expect(await service.untilEnd(id)).toMatchObject({
      status: 'failed',
      errors: { data: [{ code: 'internal_error' }] },
    });
    expect(await service.untilEnd(other.id)).toMatchObject({ status: 'completed', request_counts: { completed: 130 } });
    await service.settle();
    expect(store.keys().filter((key) => key.startsWith('open/'))).toEqual([]);
  });

  test('of its cancel is cancelled', async () => {
    const service = new FakeService({ offer });
    service.startControl();
    const { id } = await service.submit(lines);
    await service.world.store.put(keys.cancel(tenant, id), Buffer.from('{'));
    expect(await service.untilEnd(id)).toMatchObject({ status: 'cancelled' });
  });
});
