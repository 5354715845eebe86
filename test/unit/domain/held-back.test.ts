import { expect, test } from 'vitest';
import { heldBack } from '../../../src/domain/held-back.js';

test.each([
  ['nothing to stop at', 'abc', [], 0],
  ['no beginning of a stop string', 'abc', ['x'], 0],
  ['a beginning at the end', 'ab<hu', ['<human>:'], 3],
  ['a whole stop string, which was not to count', 'ab<x>', ['<x>'], 0],
  ['the longest of several beginnings', 'aab', ['aabb', 'b!'], 3],
  ['a beginning within a beginning', 'aaa', ['aaab'], 3],
  ['the bytes of a character', '€', ['€€'], 3],
  ['more than is there', 'a', ['abcdef'], 1],
])('%s', (_, text, stops, expected) => {
  expect(
    heldBack(
      Buffer.from(text),
      stops.map((stop) => Buffer.from(stop)),
    ),
  ).toBe(expected);
});
