import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isBlank, JsonlSplitter, type JsonlLine } from '../../../src/domain/jsonl-splitter.js';

const text = (line: JsonlLine): string | null => line.bytes && Buffer.from(line.bytes).toString();

function split(input: Uint8Array, cuts: readonly number[], max = 1000): JsonlLine[] {
  const splitter = new JsonlSplitter(max);
  const lines: JsonlLine[] = [];
  let from = 0;
  for (const cut of [...cuts.map((at) => at % (input.length + 1)).toSorted((a, b) => a - b), input.length]) {
    lines.push(...splitter.feed(input.subarray(from, cut)));
    from = cut;
  }
  return [...lines, ...splitter.end()];
}

describe('JsonlSplitter', () => {
  test('knows line numbers, offsets, CRLF and a missing last line end', () => {
    const lines = split(Buffer.from('a\r\n\nbc'), []);
    expect(lines.map((line) => [line.number, line.start, line.end, text(line)])).toEqual([
      [1, 0, 3, 'a'],
      [2, 3, 4, ''],
      [3, 4, 6, 'bc'],
    ]);
  });

  test('drops a byte order mark at the start only', () => {
    expect(split(Buffer.from('\ufeff{}\n\ufeff{}'), []).map(text)).toEqual(['{}', '\ufeff{}']);
  });

  test('skips a line over the limit and goes on behind it', () => {
    const lines = split(Buffer.from(`${'x'.repeat(11)}\n${'y'.repeat(10)}\n`), [3, 5], 10);
    expect(lines.map(text)).toEqual([null, 'y'.repeat(10)]);
    expect(lines[0]?.length).toBe(11);
  });

  test('gives the same lines however the stream is cut, and its offsets find them again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'ä', '\n', '\r', ' ', '😀'), { maxLength: 60 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (letters, cuts) => {
          const input = Buffer.from(letters.join(''));
          const whole = split(input, []);
          expect(split(input, cuts).map((line) => [line.number, line.start, line.end, text(line)])).toEqual(
            whole.map((line) => [line.number, line.start, line.end, text(line)]),
          );
          for (const line of whole) {
            const again = input.subarray(line.start, line.end).toString();
            expect(again.replace(/\n$/, '').replace(/\r$/, '')).toBe(text(line));
          }
        },
      ),
    );
  });
});

test('isBlank', () => {
  expect(isBlank(Buffer.from(' \t\r'))).toBe(true);
  expect(isBlank(Buffer.from(' x'))).toBe(false);
});
