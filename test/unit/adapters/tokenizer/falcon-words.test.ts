import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { Tokenizer } from 'tokenizers';
import { describe, expect, it } from 'vitest';
import { BpeTokenizer } from '../../../../src/adapters/tokenizer/bpe-tokenizer.js';
import { FalconWords, stepsMax } from '../../../../src/adapters/tokenizer/falcon-words.js';
import { parseTokenizerFile } from '../../../../src/adapters/tokenizer/tokenizer-file.js';

const file = (path: string): URL => new URL(`../../../../${path}`, import.meta.url);

/** Words, numbers, punctuation and white space in all orders, and characters that only the library takes. */
const piece = fc.oneof(
  fc.constantFrom(' ', '  ', '\n', '\t', '\r\n', ' \n ', "'s", "'", '...', '>', '<|', '>>', '<human>:', 'the', 'The'),
  fc.nat(100_000).map(String),
  fc.string({ unit: 'binary-ascii', maxLength: 6 }),
  fc.stringMatching(/^[a-zA-Z]{1,12}$/),
  fc.constantFrom('é', '²', '\u{a0}', '\u{b}', '\0', '本', '😀'),
);
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));

describe.each([
  ['the demo model, digits alone', 'models/demo/tokenizer.json'],
  ['the tiny model, digits by threes', 'test/golden/falcon-tiny/40b/tokenizer.json'],
  ['Falcon-40B', '../shared/falcon-40b/tokenizer.json'],
])('%s', (_name, path) => {
  const present = existsSync(file(path));
  const json = present ? readFileSync(file(path), 'utf8') : '{}';

  it.skipIf(!present)('gives the ids of the library, or none', async () => {
    const words = FalconWords.of(parseTokenizerFile(json, path));
    const library = Tokenizer.fromString(json);
    let quick = 0;
    await fc.assert(
      fc.asyncProperty(text, async (written) => {
        const ids = words?.encode(written) ?? null;
        if (ids === null) return;
        quick++;
        const expected = await library.encode(written, null, { addSpecialTokens: false });
        expect(Array.from(ids)).toEqual(expected.getIds());
      }),
      { numRuns: 5000 },
    );
    // Not by never answering.
    expect(quick).toBeGreaterThan(1000);
  });

  it.skipIf(!present)('leaves special tokens and all but plain ASCII to the library', () => {
    const words = FalconWords.of(parseTokenizerFile(json, path));
    for (const written of ['a<|endoftext|>', '>>TITLE<<', 'é', 'a\0', '\u{2028}', 'x'.repeat(100)])
      expect(words?.encode(written), JSON.stringify(written)).toBeNull();
  });
});

/** Words that nobody has written before. */
const newWords = (count: number, length: number, seed: number): string =>
  Array.from({ length: count }, (_, n) =>
    Array.from({ length }, (__, at) =>
      String.fromCharCode(97 + ((Math.imul(seed * 7919 + n * 104_729 + at * 31 + 1, 2_654_435_761) >>> 27) % 26)),
    ).join(''),
  ).join(' ');

it('leaves a text to the library when its new words would take too long, which grows with the square of their length', () => {
  const path = 'test/golden/falcon-tiny/40b/tokenizer.json';
  const words = FalconWords.of(parseTokenizerFile(readFileSync(file(path), 'utf8'), path));
  expect(words?.encode(newWords(1500, 5, 1))).not.toBeNull();
  expect(words?.encode(newWords(24, 62, 2))).not.toBeNull();
  for (const long of [newWords(1990, 62, 3), newWords(60, 62, 4), newWords(600, 20, 5)]) {
    expect(words?.encode(long)).toBeNull();
    expect(words?.steps).toBeLessThan(stepsMax + 64 ** 2 + 10);
  }
  // What is known costs its characters.
  const known = 'the word '.repeat(11_000);
  expect(words?.encode(known)).not.toBeNull();
  expect(words?.encode(known + known)).toBeNull();
});

it('lets others have their turn between many texts, one after the other or side by side', async () => {
  const tokenizer = BpeTokenizer.fromJson(readFileSync(file('models/demo/tokenizer.json'), 'utf8'));
  const texts = (seed: number) => Array.from({ length: 40 }, (_, n) => newWords(24, 62, seed + n));
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  for (const one of texts(100)) await tokenizer.encode(one, 'text');
  expect(turns).toBeGreaterThanOrEqual(15);
  turns = 0;
  await Promise.all(texts(200).map((one) => tokenizer.encode(one, 'text')));
  expect(turns).toBeGreaterThanOrEqual(15);
  counting = false;
});

it('is offered only for files that cut words as Falcon does', () => {
  const json = readFileSync(file('models/demo/tokenizer.json'), 'utf8');
  const of = (change: object): FalconWords | null => FalconWords.of({ ...parseTokenizerFile(json, 'test'), ...change });
  expect(of({})).not.toBeNull();
  expect(of({ pre_tokenizer: { type: 'ByteLevel' } })).toBeNull();
  expect(of({ normalizer: { type: 'NFC' } })).toBeNull();
  const { model } = parseTokenizerFile(json, 'test');
  expect(of({ model: { ...model, ignore_merges: true } })).toBeNull();
  expect(of({ model: { ...model, dropout: 0.1 } })).toBeNull();
});
