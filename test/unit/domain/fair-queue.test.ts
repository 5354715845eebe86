import { expect, test } from 'vitest';
import { benchFairness } from '../../../bench/fairness.js';

// `npm run bench -- fairness` is the same for a month.
test.each([0, 2 ** 43])('half a day of mixed batches from clock %d: shares as promised, order kept', (clock) => {
  const figures = benchFairness({ days: 0.5, seed: 7, clock });
  expect(figures.windows).toBeGreaterThan(10_000);
  expect(figures.share_deviation_max).toBeLessThan(figures.deviation_allowed);
  expect(figures.class_deviation_max).toBeLessThan(0.02);
  expect(figures).toMatchObject({ shards: 4_320_000, inversions: 0, saturated: 0 });
  expect(figures.waiting_shards_least).toBeGreaterThan(0);
});
