import { expect, test } from 'vitest';
import { tokensAhead } from '../../../src/domain/completion-estimate.js';

test('only what the queue gives out before the own last shard is ahead', () => {
  const other = { tokens: 1000, first: 10, last: 20 };
  expect(tokensAhead(5, [other])).toBe(0);
  expect(tokensAhead(15, [other])).toBe(500);
  expect(tokensAhead(20, [other])).toBe(1000);
  expect(tokensAhead(99, [other, other])).toBe(2000);
});

test('a single shard is ahead or not', () => {
  expect(tokensAhead(5, [{ tokens: 7, first: 5, last: 5 }])).toBe(7);
  expect(tokensAhead(4, [{ tokens: 7, first: 5, last: 5 }])).toBe(0);
});
