import { expect, test } from 'vitest';
import { compareScores } from '../../../src/app/quality/compare-scores.js';

const score = (chosen: readonly number[], best: readonly number[]) => ({
  chosen: Float32Array.from(chosen),
  best: Uint32Array.from(best),
});

test('the first token of a text has no score', () => {
  const same = score([NaN, -1, -3], [0, 5, 6]);
  const result = compareScores([same], [same]);
  expect(result).toMatchObject({ tokens: 2, meanDifference: 0, greatestDifference: 0, topAgreement: 1 });
  expect(result.perplexity.reference).toBeCloseTo(Math.exp(2), 6);
});

test('differences and disagreements over all texts', () => {
  const reference = [score([NaN, -1, -2], [0, 5, 6]), score([NaN, -4], [0, 7])];
  const candidate = [score([NaN, -1.5, -2], [0, 5, 9]), score([NaN, -3], [0, 7])];
  const result = compareScores(reference, candidate);
  expect(result.meanDifference).toBeCloseTo(0.5, 6);
  expect(result.greatestDifference).toBe(1);
  expect(result.topAgreement).toBeCloseTo(2 / 3, 6);
  expect(result.perplexity.candidate).toBeCloseTo(Math.exp(6.5 / 3), 5);
});

test('a score that is not a number shows', () => {
  const result = compareScores([score([NaN, -1], [0, 5])], [score([NaN, NaN], [0, 5])]);
  expect(result.meanDifference).toBeNaN();
});
