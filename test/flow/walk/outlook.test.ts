import { describe, expect, test } from 'vitest';
import { completionWindows } from '../../../src/domain/completion-window.js';
import { completionLine, FakeService } from '../../support/fake-service.js';

/** 128 lines of 10 prompt tokens that may generate 50: two shards. */
const lines = Array.from({ length: 128 }, (_, n) => completionLine(`l-${n}`, 'x'.repeat(10)));
const report = { tokensPerSecond: 100, slots: 32, prefillTokens: 512 };

async function planned(service: FakeService, change = {}) {
  const { id } = await service.submit(lines, change);
  await service.world.clock.until('the plan', async () => (await service.view(id)).status === 'in_progress');
  return id;
}
const seconds = (service: FakeService): number => service.world.clock.now() / 1000;

describe('the estimate of the end', () => {
  test('is not known before any worker told its speed', async () => {
    const service = new FakeService();
    service.startControl();
    const id = await planned(service);
    expect((await service.view(id)).eyrie).toMatchObject({ estimated_completion_at: null, at_risk: null });
  });

  test('comes from the open tokens, the work ahead and the measured speed', async () => {
    const service = new FakeService();
    service.startControl();
    await service.world.progress.reportWorker('w', report);
    const id = await planned(service);
    const alone = (await service.view(id)).eyrie.estimated_completion_at ?? 0;
    expect(alone - seconds(service)).toBeCloseTo((128 * 60) / 100, 0);
    await planned(service);
    const beside = (await service.view(id)).eyrie.estimated_completion_at ?? 0;
    expect(beside, 'the other batch takes turns with it').toBeGreaterThan(alone + 30);
  });

  test('is later than the deadline: at risk', async () => {
    const service = new FakeService();
    service.startControl();
    await service.world.progress.reportWorker('w', report);
    const deadline = (after: number) => ({ eyrie: { deadline: Math.floor(seconds(service)) + after } });
    const tight = await planned(service, deadline(60));
    expect((await service.view(tight)).eyrie).toMatchObject({ at_risk: true, ...deadline(60).eyrie });
    const easy = await planned(service, deadline(3600));
    expect((await service.view(easy)).eyrie).toMatchObject({ at_risk: false });
  });

  test('learns from the decided shards that answers are shorter than they may be', async () => {
    const service = new FakeService({ script: () => 'short', sequenceMs: 60_000 });
    service.startControl();
    await service.world.progress.reportWorker('w', report);
    const many = Array.from({ length: 5 * 64 }, (_, n) => completionLine(`l-${n}`, 'x'.repeat(10)));
    const { id } = await service.submit(many);
    service.startGenerate();
    const some = async (): Promise<boolean> => (await service.view(id)).request_counts.completed > 0;
    await service.world.clock.until('the first shards', some);
    await service.world.progress.reportWorker('w', report);
    const { request_counts: counts, eyrie, status } = await service.view(id);
    expect(status).toBe('in_progress');
    const most = ((counts.total - counts.completed) * 60) / report.tokensPerSecond;
    const left = (eyrie.estimated_completion_at ?? 0) - seconds(service);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(most / 2);
    expect((await service.untilEnd(id)).eyrie).toMatchObject({ estimated_completion_at: null, at_risk: false });
  });

  test('is gone while the board is away, and the batch is shown all the same', async () => {
    const service = new FakeService();
    service.startControl();
    await service.world.progress.reportWorker('w', report);
    const id = await planned(service);
    service.world.progress.unavailable = true;
    expect(await service.view(id)).toMatchObject({
      status: 'in_progress',
      eyrie: { estimated_completion_at: null, at_risk: null },
    });
  });
});

test('the cost is estimated from the plan, final at the end, and keeps the price of the start', async () => {
  const prices = { currency: 'USD', models: { '*': { input: 10, output: 1000 } }, discounts: { '24h': 0.5 } };
  const service = new FakeService({ offer: { windows: completionWindows([]), prices } });
  service.startControl();
  expect((await service.view((await service.submit(lines)).id)).eyrie.cost).toEqual({
    currency: 'USD',
    estimated: null,
    final: null,
  });
  const id = await planned(service);
  const estimated = ((1280 * 10 + 6400 * 1000) / 1e6) * 0.5;
  expect((await service.view(id)).eyrie.cost).toEqual({ currency: 'USD', estimated, final: null });
  prices.models['*'] = { input: 0, output: 0 };
  service.startGenerate();
  const { usage, eyrie } = await service.untilEnd(id);
  const used = (usage?.input_tokens ?? 0) * 10 + (usage?.output_tokens ?? 0) * 1000;
  expect(eyrie.cost).toEqual({ currency: 'USD', estimated, final: Math.round((used / 1e6) * 0.5 * 1e6) / 1e6 });
});

test('without a price table there is no cost', async () => {
  const service = new FakeService();
  expect((await service.submit(lines)).eyrie.cost).toBeNull();
});
