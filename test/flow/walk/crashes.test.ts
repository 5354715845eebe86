import { describe, expect, test } from 'vitest';
import { listDeliveries } from '../../../src/app/webhooks/list-deliveries.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import type { MemoryConsumer } from '../../support/memory-queue.js';
import { makeEndpoint } from '../../support/webhook-calls.js';

const lines = Array.from({ length: 300 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));
const expectedIds = lines.map((_, at) => `line-${at}`);

const outcome = (service: FakeService, id: string): unknown =>
  service.results(id, 'output').map((line) => [line.custom_id, line.response?.body.choices?.[0]?.text]);
const expected = expectedIds.map((id, at) => [id, `PROMPT ${at}`]);

describe('nothing is lost and nothing doubled', () => {
  test('when a worker is killed in the middle, and control just after', async () => {
    const service = new FakeService({ sequenceMs: 1000 });
    const killControl = service.startControl();
    const worker = service.startGenerate();
    const { id } = await service.submit(lines);
    await service.world.clock.until('work', async () => (await service.view(id)).request_counts.completed > 0);
    service.world.queue.kill(worker);
    killControl();
    service.startControl();
    service.startGenerate('worker-2');
    expect(await service.untilEnd(id)).toMatchObject({
      status: 'completed',
      request_counts: { total: 300, completed: 300 },
    });
    expect(outcome(service, id)).toEqual(expected);
  });

  test('when the queue is emptied in the middle', async () => {
    const service = new FakeService({ sequenceMs: 1000 });
    service.startControl();
    service.startGenerate();
    const { id } = await service.submit(lines);
    await service.world.clock.until('work', async () => (await service.view(id)).request_counts.completed > 0);
    service.world.queue.wipe();
    service.world.progress.wipe();
    expect(await service.untilEnd(id)).toMatchObject({ request_counts: { completed: 300 } });
    expect(outcome(service, id)).toEqual(expected);
  });

  test('when the queue is away at the accept', async () => {
    const service = new FakeService();
    service.startControl();
    service.startGenerate();
    service.world.queue.unavailable = true;
    const { id, status } = await service.submit(lines);
    expect(status).toBe('validating');
    service.world.queue.unavailable = false;
    expect(await service.untilEnd(id)).toMatchObject({ status: 'completed' });
  });

  test('when two of everything run', async () => {
    const service = new FakeService({ sequenceMs: 100 });
    const all: MemoryConsumer[] = [];
    for (const name of ['a', 'b']) {
      service.startControl();
      all.push(service.startGenerate(name));
    }
    const { id } = await service.submit(lines);
    await service.untilEnd(id);
    expect(outcome(service, id)).toEqual(expected);
  });

  // A crash right before or right after each write: everything that survives is what the store holds.
  const writes = ['create', 'put', 'putStream', 'delete'] as const;
  for (const when of ['before', 'after'] as const)
    test(`when any single write fails ${when} it was done`, async () => {
      for (let failing = 0; ; failing++) {
        const service = new FakeService({ webhookUrl: 'https://example.com/hook' });
        const stored = await makeEndpoint(service.world, tenant);
        service.startControl();
        service.startGenerate();
        let writesSeen = 0;
        let failed = false;
        const { id } = await service.submit(lines.slice(0, 130));
        service.world.store.fault = ({ operation }) => {
          if (!writes.includes(operation as (typeof writes)[number]) || writesSeen++ !== failing) return undefined;
          failed = true;
          return { fail: when, error: new EyrieError('store_unavailable', 'A fault of the test.') };
        };
        const batch = await service.untilEnd(id);
        await service.settle();
        expect(batch).toMatchObject({ status: 'completed', request_counts: { completed: 130 } });
        expect(outcome(service, id)).toEqual(expected.slice(0, 130));
        const eventIds = new Set(service.posts.map(({ headers }) => headers['webhook-id']));
        expect(eventIds.size).toBe(1);
        expect(new Set(service.posts.map(({ url }) => url)).size, 'both endpoints').toBe(2);
        expect(new Set(service.posts.map(({ body }) => body)).size).toBe(1);
        const { data } = await listDeliveries(service.world.store, tenant, stored.id, { after: null, limit: 10 });
        expect(data).toMatchObject([{ batch_id: id, state: 'delivered' }]);
        expect(service.world.store.keys().filter((key) => /^(open|notify)\//.test(key))).toEqual([]);
        if (!failed) {
          expect(failing).toBeGreaterThan(10);
          return;
        }
      }
    });
});

test('repeating a create with the same key gives the same batch; with another body it is refused', async () => {
  const service = new FakeService();
  const fileId = await service.upload(lines.join('\n'));
  const first = await service.create(fileId, {}, 'key-1');
  expect((await service.create(fileId, {}, 'key-1')).id).toBe(first.id);
  expect((await service.create(fileId, {}, 'key-2')).id).not.toBe(first.id);
  await expect(service.create(fileId, { metadata: { a: 'b' } }, 'key-1')).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  });
});

test("a client's automatic retry meets the batch of its first attempt; two deliberate creates stay two", async () => {
  const service = new FakeService();
  const fileId = await service.upload(lines.join('\n'));
  const first = await service.create(fileId);
  expect((await service.create(fileId, {}, null, 1)).id).toBe(first.id);
  const second = await service.create(fileId);
  expect(second.id).not.toBe(first.id);
});
