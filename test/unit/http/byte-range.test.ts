import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseByteRange } from '../../../src/http/byte-range.js';

test.each([
  [undefined, 10, null],
  ['', 10, null],
  ['bytes=0-3', 10, { start: 0, end: 4 }],
  ['bytes=3-', 10, { start: 3, end: 10 }],
  ['bytes=-4', 10, { start: 6, end: 10 }],
  ['bytes=-40', 10, { start: 0, end: 10 }],
  ['bytes=5-100', 10, { start: 5, end: 10 }],
  ['bytes=9-9', 10, { start: 9, end: 10 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=4-2', 10, null],
  ['bytes=-', 10, null],
  ['bytes=1-2,3-4', 10, null],
  ['lines=1-2', 10, null],
  ['bytes=1-99999999999999999999', 10, null],
] as const)('%s of %i bytes', (header, size, expected) => {
  expect(parseByteRange(header, size)).toEqual(expected);
});

test('whatever the header, a range lies within the content and is not empty', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^bytes=\d{0,4}-\d{0,4}$/)), fc.nat(5000), (header, size) => {
      const range = parseByteRange(header, size);
      if (range === null || range === 'unsatisfiable') return;
      expect(range.start).toBeGreaterThanOrEqual(0);
      expect(range.end).toBeGreaterThan(range.start);
      expect(range.end).toBeLessThanOrEqual(size);
    }),
  );
});
