import { expect, test } from 'vitest';
import { deleteBatch } from '../../../src/app/delete-batch.js';
import { countResults } from '../../../src/app/quotas/count-results.js';
import { retryFailed } from '../../../src/app/retry/retry-failed.js';
import { bounds } from '../../../src/domain/bounds.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';

/** Ten shards of 64 lines. */
const lines = Array.from({ length: 640 }, (_, n) => completionLine(`l-${n}`, 'x'.repeat(40)));
const resultsBytes = 400_000;

function started(): FakeService {
  const service = new FakeService({ quotas: { resultsBytes }, loopMs: 30_000 });
  service.startControl();
  service.startGenerate();
  return service;
}

test('no shard begins once results have used up the quota; what was made is kept, and no batch is planned', async () => {
  const service = started();
  const { store, log } = service.world;
  const first = await service.untilEnd((await service.submit(lines)).id);
  expect(first.status).toBe('completed');
  const { completed, failed } = first.request_counts;
  expect(completed).toBeGreaterThanOrEqual(128);
  expect(failed).toBeGreaterThanOrEqual(128);
  expect(first.eyrie.given_up).toEqual({ insufficient_quota: failed });
  const [error] = service.results(first.id, 'errors');
  expect(error?.error?.message).toMatch(/Results take \d+ of 400000 bytes already.* Delete result files/);
  const made = store
    .keys()
    .filter((key) => key.includes('/out/'))
    .map((key) => store.text(key)?.length ?? 0);
  expect(2 * Math.max(...made), 'what was under way came on top: two shards').toBeLessThan(2 * resultsBytes);

  const second = await service.untilEnd((await service.submit(lines)).id);
  expect(second.status).toBe('failed');
  expect(second.errors?.data).toMatchObject([{ code: 'insufficient_quota', param: null, line: null }]);
  expect(log.of('work.refused')).toMatchObject([{ fields: { bound: 'resultsBytesDefault' } }, {}]);
});

test('what is deleted makes room, and failed lines run again', async () => {
  const service = started();
  const { world } = service;
  const first = await service.untilEnd((await service.submit(lines.slice(0, 320))).id);
  expect(first.request_counts.failed).toBe(0);
  const second = await service.untilEnd((await service.submit(lines.slice(320))).id);
  expect(second.request_counts.failed).toBeGreaterThan(0);
  await deleteBatch(world, tenant, first.id);
  await world.clock.advance(300_000);
  const child = await retryFailed(world, {
    tenant,
    batchId: second.id,
    request: { include: undefined },
    idempotencyKey: null,
    retryCount: 0,
  });
  const ended = await service.untilEnd(child.id);
  expect(ended.request_counts.completed).toBeGreaterThan(0);
});

test('all that batches have stored counts, a part without its file twice; it is counted once in ten minutes', async () => {
  const service = started();
  const { world } = service;
  const { store, clock } = world;
  const batch = await service.untilEnd((await service.submit(lines.slice(0, 64))).id);
  const sizes = async (): Promise<number> => {
    const { objects } = await store.list(`t/${tenant}/b/${batch.id}/`);
    return objects.reduce((sum, { bytes }) => sum + bytes, 0);
  };
  expect(await countResults(store, tenant)).toBe(await sizes());
  const { objects: files } = await store.list(`t/${tenant}/b/${batch.id}/out/`);
  for (const { key } of files) await store.delete(key);
  const { objects: parts } = await store.list(`t/${tenant}/b/${batch.id}/parts/`);
  expect(await countResults(store, tenant)).toBe((await sizes()) + (parts[0]?.bytes ?? 0));
  const lists = () =>
    store.calls.filter(({ operation, key }) => operation === 'list' && key === `t/${tenant}/b/`).length;
  const before = lists();
  for (let n = 0; n < 20; n++) {
    expect(await world.resultsQuota.usedUp(tenant)).toBeNull();
    await clock.advance(bounds.resultsCountedMs / 20 - 1);
  }
  expect(lists() - before).toBeLessThanOrEqual(2);
});
