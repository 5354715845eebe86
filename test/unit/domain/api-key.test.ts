import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apiKeyHash, apiKeyPrefix, keyIdOf, toApiKey } from '../../../src/domain/api-key.js';
import { bounds } from '../../../src/domain/bounds.js';

const secret = new Uint8Array(bounds.keySecretBytes).fill(9);
const keyId = 'key_01hzxvq2t9w4m8c6y3k7n5b1af';

test('a key holds its id in the clear, its secret, and digits that check both', () => {
  const text = toApiKey(keyId, secret);
  expect(text).toMatch(/^ey_01hzxvq2t9w4m8c6y3k7n5b1af_[0-9a-z]{58}$/);
  expect(text.startsWith(apiKeyPrefix(keyId))).toBe(true);
  expect(keyIdOf(text)).toBe(keyId);
  expect(text.length).toBeLessThan(bounds.apiKeyCharsMax);
});

test('the text of a key is pinned: scanners and stored hashes rely on it', () => {
  // Made by ten lines of Python over its own hashlib.
  const text = 'ey_01hzxvq2t9w4m8c6y3k7n5b1af_144gj289144gj289144gj289144gj289144gj289144gj289144g8n9dgc';
  expect(toApiKey(keyId, secret)).toBe(text);
  expect(apiKeyHash(text).toString('hex')).toBe('071c155b051a562ce52c97616b0f323c9dd970d555a76a1673747254cd3e1098');
});

test('a mistyped character is noticed, wherever it stands', () => {
  const text = toApiKey(keyId, secret);
  fc.assert(
    fc.property(
      fc.nat(text.length - 1),
      fc.constantFrom(...Array.from('0123456789abcdefghjkmnpqrstvwxyz_')),
      (at, digit) => {
        fc.pre(text[at] !== digit);
        expect(keyIdOf(text.slice(0, at) + digit + text.slice(at + 1))).toBeNull();
      },
    ),
  );
});

test.each([
  ['nothing', ''],
  ['a key of local mode', `ey_dev_${'0f'.repeat(24)}`],
  ['a key with a newline behind it', `${toApiKey(keyId, secret)}\n`],
  ['a key in capitals', toApiKey(keyId, secret).toUpperCase()],
  ['a key of another service', `sk-${'a'.repeat(48)}`],
  ['a path', 'ey_../../t/acme_'.padEnd(80, 'a')],
])('%s names no stored key', (_what, text) => {
  expect(keyIdOf(text)).toBeNull();
});
