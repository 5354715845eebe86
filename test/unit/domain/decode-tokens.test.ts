import { describe, expect, test } from 'vitest';
import { textOffsets, tokenText } from '../../../src/domain/decode-tokens.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.of(...values);

describe('tokens as text', () => {
  test('a token that is no UTF-8 by itself is named by its bytes', () => {
    expect(tokenText(Buffer.from(' Hi'))).toBe(' Hi');
    expect(tokenText(bytes(0xe2, 0x80))).toBe('bytes:\\xe2\\x80');
    expect(tokenText(Buffer.from('\ufeff'))).toBe('\ufeff');
  });

  test('offsets count code points, and parts of one character share its offset', () => {
    const tokens = [Buffer.from('a'), bytes(0xf0, 0x9f), bytes(0x98, 0x80), Buffer.from('b')];
    expect(textOffsets(tokens, 3)).toEqual([0, 1, 1, 2]);
  });

  test('tokens behind the cut of a stop string keep the length of the text', () => {
    expect(textOffsets([Buffer.from('ab'), Buffer.from('STOP'), Buffer.from('x')], 2)).toEqual([0, 2, 2]);
  });
});
