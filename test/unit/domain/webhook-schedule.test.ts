import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { retryDelayMs } from '../../../src/domain/webhook-schedule.js';

const names = Array.from({ length: 200 }, (_, n) => `evt_${n} we_1`);
const delaysOf = (name: string): number[] =>
  bounds.webhookRetryDelaysMs.map((_, attempts) => retryDelayMs(name, attempts) ?? NaN);

test('each delay is the one of the schedule, or up to a fifth longer', () => {
  for (const name of names)
    delaysOf(name).forEach((delay, at) => {
      const base = bounds.webhookRetryDelaysMs[at] ?? NaN;
      expect(delay).toBeGreaterThanOrEqual(base);
      expect(delay).toBeLessThanOrEqual(base * 1.2);
    });
});

test('the whole schedule lasts three days at least, then it ends', () => {
  for (const name of names)
    expect(delaysOf(name).reduce((sum, delay) => sum + delay)).toBeGreaterThan(72 * 3600 * 1000);
  expect(retryDelayMs('evt_1 we_1', bounds.webhookRetryDelaysMs.length)).toBeNull();
});

test('deliveries that failed together are spread out, each always the same', () => {
  const hours = names.map((name) => retryDelayMs(name, 4) ?? 0);
  expect(new Set(hours).size).toBeGreaterThan(190);
  expect(names.map((name) => retryDelayMs(name, 4))).toEqual(hours);
});
