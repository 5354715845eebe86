import { expect, test } from 'vitest';
import { cancelBatch } from '../../../src/app/cancel-batch.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';

const lines = Array.from({ length: 300 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));

function everyLineOnce(service: FakeService, batchId: string): void {
  const ids = [...service.results(batchId, 'output'), ...service.results(batchId, 'errors')].map(
    (line) => line.custom_id ?? '',
  );
  expect(ids.toSorted()).toEqual(lines.map((_, at) => `line-${at}`).toSorted());
}

test('a cancel keeps what is finished and gives every other line its error', async () => {
  const service = new FakeService({ sequenceMs: 5000 });
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit(lines);
  await service.world.clock.until(
    'the first shards',
    async () => (await service.view(id)).request_counts.completed > 0,
  );
  expect((await cancelBatch(service.world, tenant, id)).status).toBe('cancelling');
  const batch = await service.untilEnd(id);
  expect(batch.status).toBe('cancelled');
  expect(batch.request_counts.completed).toBeGreaterThan(0);
  expect(batch.request_counts.failed).toBeGreaterThan(0);
  expect(batch.request_counts.completed + batch.request_counts.failed).toBe(300);
  everyLineOnce(service, id);
  expect(new Set(service.results(id, 'errors').map(({ error }) => error?.code))).toEqual(new Set(['batch_cancelled']));
});

test('a cancel without any worker ends too', async () => {
  const service = new FakeService();
  service.startControl();
  const { id } = await service.submit(lines);
  await service.world.clock.until('planned', async () => (await service.view(id)).status === 'in_progress');
  await cancelBatch(service.world, tenant, id);
  expect(await service.untilEnd(id)).toMatchObject({
    status: 'cancelled',
    request_counts: { completed: 0, failed: 300 },
  });
  everyLineOnce(service, id);
});

test('a cancel before planning leaves no counted lines', async () => {
  const service = new FakeService();
  const { id } = await service.submit(lines);
  await cancelBatch(service.world, tenant, id);
  service.startControl();
  expect(await service.untilEnd(id)).toMatchObject({ status: 'cancelled', request_counts: { total: 0 } });
});

test('a cancel after the end changes nothing and says so', async () => {
  const service = new FakeService();
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit(lines.slice(0, 3));
  await service.untilEnd(id);
  await expect(cancelBatch(service.world, tenant, id)).rejects.toMatchObject({ code: 'batch_not_cancellable' });
});

test('the end of the completion window expires what is left', async () => {
  const service = new FakeService({ sequenceMs: 5000 });
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit(lines);
  await service.world.clock.until(
    'the first shards',
    async () => (await service.view(id)).request_counts.completed > 0,
  );
  service.world.clock.jump(24 * 3600 * 1000);
  const batch = await service.untilEnd(id);
  expect(batch.status).toBe('expired');
  expect(batch.expired_at).toBeGreaterThanOrEqual(batch.expires_at ?? Infinity);
  everyLineOnce(service, id);
  expect(service.results(id, 'errors').at(-1)?.error?.code).toBe('batch_expired');
});
