import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeText, TextOffsets, tokenText } from '../../../src/domain/decode-tokens.js';

const textOffsets = (tokens: readonly Uint8Array[], codePointsMax: number): number[] =>
  new TextOffsets().next(tokens, codePointsMax);

const bytes = (...values: number[]): Uint8Array => Uint8Array.of(...values);

describe('tokens as text', () => {
  test('a token that is no UTF-8 by itself is named by its bytes', () => {
    expect(tokenText(Buffer.from(' Hi'), 1)).toBe(' Hi');
    expect(tokenText(bytes(0xe2, 0x80), 1)).toBe('bytes:\\xe2\\x80');
    expect(tokenText(Buffer.from('\ufeff'), 1)).toBe('\ufeff');
  });

  test('a token without bytes is named by its id', () => {
    expect(tokenText(bytes(), 65_030)).toBe('token_id:65030');
  });

  test('offsets count code points, and parts of one character share its offset', () => {
    const tokens = [Buffer.from('a'), bytes(0xf0, 0x9f), bytes(0x98, 0x80), Buffer.from('b')];
    expect(textOffsets(tokens, 3)).toEqual([0, 1, 1, 2]);
  });

  test('tokens behind the cut of a stop string keep the length of the text', () => {
    expect(textOffsets([Buffer.from('ab'), Buffer.from('STOP'), Buffer.from('x')], 2)).toEqual([0, 2, 2]);
  });

  test('offsets are those of the text that comes of it, whatever the bytes', () => {
    // Leads, continuations and their neighbours, so that whole, cut, overlong and stray sequences all come up.
    const kinds = [0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe2, 0xed, 0xef];
    const byte = fc.constantFrom(...kinds, 0xf0, 0xf3, 0xf4, 0xf5, 0xff);
    const tokens = fc.array(fc.array(byte, { maxLength: 4 }));
    fc.assert(
      fc.property(tokens, (values) => {
        const parts = values.map((part) => Uint8Array.from(part));
        const whole = Buffer.concat(parts);
        const text = decodeText(whole);
        const offsets = textOffsets(parts, Infinity);
        let at = 0;
        for (const [index, part] of parts.entries()) {
          // The characters that end before this token are those before its offset, unless it ends the last of them.
          const before = Array.from(decodeText(whole.subarray(0, at))).length;
          const offset = offsets[index] ?? -1;
          expect([before, before - 1]).toContain(offset);
          const rest = Array.from(text).slice(offset).join('');
          const own = decodeText(part);
          if (part.length > 0 && !own.includes('\ufffd')) expect(rest.startsWith(own)).toBe(true);
          at += part.length;
        }
      }),
      { numRuns: 2000, seed: 8 },
    );
  });
});
