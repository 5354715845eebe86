import { readFileSync } from 'node:fs';
import { Encoding, Tokenizer as NativeTokenizer } from 'tokenizers';
import { afterEach, expect, test, vi } from 'vitest';
import { BpeTokenizer } from '../../../../src/adapters/tokenizer/bpe-tokenizer.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { TooManyTokens } from '../../../../src/ports/tokenizer.js';

const tinyJson = readFileSync(new URL('../../../golden/falcon-tiny/40b/tokenizer.json', import.meta.url), 'utf8');
type Encode = NativeTokenizer['encode'];

const tokenizer = BpeTokenizer.fromJson(tinyJson);

afterEach(() => vi.restoreAllMocks());

test('of many texts the library has two at once, and those of a tenant do not wait for all of another', async () => {
  const encode = Object.getOwnPropertyDescriptor(NativeTokenizer.prototype, 'encode')?.value as Encode;
  const begun: string[] = [];
  let active = 0;
  let most = 0;
  vi.spyOn(NativeTokenizer.prototype, 'encode').mockImplementation(async function (this: NativeTokenizer, ...args) {
    begun.push(String(args[0]));
    most = Math.max(most, ++active);
    try {
      return await encode.apply(this, args);
    } finally {
      active--;
    }
  });
  const mallory = Array.from({ length: 100 }, () => tokenizer.encode('鷲'.repeat(1000), 'text', { tenant: 'mallory' }));
  const alice = await tokenizer.encode('é', 'text', { tenant: 'alice' });
  expect(alice).toHaveLength(2);
  expect(begun.indexOf('é')).toBeLessThan(4);
  for (const ids of await Promise.all(mallory)) expect(ids).toHaveLength(3000);
  expect(most).toBe(bounds.libraryEncodesMax);
});

test.each([
  ['the library', '鷲'.repeat(100), 300],
  ['known words', 'a b '.repeat(100), 400],
])('a text of too many tokens is refused before they are listed: %s', async (_, text, count) => {
  const listed = vi.spyOn(Encoding.prototype, 'getIds');
  const all = await tokenizer.encode(text, 'text');
  const tokens = all.length;
  expect(tokens).toBeLessThanOrEqual(count);
  listed.mockClear();
  await expect(tokenizer.encode(text, 'text', { tokensMax: tokens - 1 })).rejects.toEqual(new TooManyTokens(tokens));
  expect(listed).not.toHaveBeenCalled();
  expect(await tokenizer.encode(text, 'text', { tokensMax: tokens })).toEqual(all);
});
