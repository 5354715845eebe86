import { expect, test } from 'vitest';
import { completionLine, FakeService } from '../../support/fake-service.js';

/** 10 prompt tokens and up to 50 more: 60 a line. */
const lines = (count: number) => Array.from({ length: count }, (_, n) => completionLine(`l-${n}`, 'x'.repeat(10)));

test('a batch over the tokens that its tenant may queue fails validation; the end of another makes room', async () => {
  const service = new FakeService({ quotas: { queuedTokens: 600 } });
  service.startControl();
  const first = await service.submit(lines(8));
  await service.world.clock.until('the plan', async () => (await service.view(first.id)).status === 'in_progress');
  const second = await service.untilEnd((await service.submit(lines(3))).id);
  expect(second).toMatchObject({ status: 'failed', request_counts: { total: 0 } });
  expect(second.errors?.data).toMatchObject([{ code: 'token_limit_exceeded', param: null, line: null }]);
  expect(second.errors?.data[0]?.message).toMatch(/180 tokens, and 480 are queued already; 600 are allowed/);
  expect([...service.world.refusals.counts()]).toEqual([['queuedTokensDefault', 1]]);

  service.startGenerate();
  await service.untilEnd(first.id);
  expect((await service.untilEnd((await service.submit(lines(3))).id)).status).toBe('completed');
  expect((await service.untilEnd((await service.submit(lines(11))).id)).status, 'too large by itself').toBe('failed');
});

test('of batches that are planned at the same moment no more are queued than the quota allows, and no fewer', async () => {
  const service = new FakeService({ quotas: { queuedTokens: 1000 } });
  for (let n = 0; n < 3; n++) service.startControl();
  const batches = await Promise.all(Array.from({ length: 20 }, () => service.submit(lines(5))));
  const planned = async () => {
    const views = await Promise.all(batches.map(({ id }) => service.view(id)));
    return views.map(({ status }) => status).filter((status) => status !== 'validating');
  };
  await service.world.clock.until('all plans', async () => (await planned()).length === batches.length);
  const states = await planned();
  expect(
    states.filter((state) => state === 'in_progress'),
    '300 tokens each',
  ).toHaveLength(3);
});
