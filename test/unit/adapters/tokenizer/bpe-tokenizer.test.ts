import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BpeTokenizer } from '../../../../src/adapters/tokenizer/bpe-tokenizer.js';

const tinyJson = readFileSync(new URL('../../../golden/falcon-tiny/40b/tokenizer.json', import.meta.url), 'utf8');
const falcon = new URL('../../../../../shared/falcon-40b/', import.meta.url);
const missing = existsSync(new URL('tokenizer.json', falcon)) ? '' : '(skipped: the files of falcon-40b are not here)';
const fileOf = (name: string): string => readFileSync(new URL(name, falcon), 'utf8');

function textOf(tokenizer: BpeTokenizer, ids: Uint32Array): string {
  return Buffer.concat(Array.from(ids, (id) => tokenizer.tokenBytes(id))).toString();
}

interface FileShape {
  added_tokens: { id: number; content: string; special: boolean }[];
  model: { type: string; vocab: Record<string, number>; merges: unknown[] };
  [name: string]: unknown;
}
/** The tiny tokenizer.json with a change. */
function changed(change: (file: FileShape) => void): string {
  const file = JSON.parse(tinyJson) as FileShape;
  change(file);
  return JSON.stringify(file);
}

const anyText = fc.string({ unit: 'binary', maxLength: 60 });

describe('BpeTokenizer on the tiny vocabulary', () => {
  const tokenizer = BpeTokenizer.fromJson(tinyJson);

  it('knows its size, its special tokens, and its ordinary ones by their text', () => {
    expect(tokenizer.vocabSize).toBe(320);
    expect(tokenizer.idOf('<|endoftext|>')).toBe(11);
    expect(tokenizer.idOf('no such token')).toBeNull();
    const space = tokenizer.idOf(' ');
    expect(space === null ? null : Buffer.from(tokenizer.tokenBytes(space)).toString()).toBe(' ');
  });

  it('parses special tokens, or keeps them as text that decodes to itself', async () => {
    const text = 'a<|endoftext|>b>>TITLE<<';
    const parsed = await tokenizer.encode(text, 'parse');
    const plain = await tokenizer.encode(text, 'text');
    expect(Array.from(parsed)).toEqual(expect.arrayContaining([0, 11]));
    expect(plain.every((id) => id > 11)).toBe(true);
    expect(textOf(tokenizer, parsed)).toBe(text);
    expect(textOf(tokenizer, plain)).toBe(text);
  });

  it('puts nothing before or behind a text', async () => {
    expect(await tokenizer.encode('', 'parse')).toEqual(new Uint32Array());
    const one = await tokenizer.encode('a', 'text');
    expect(await tokenizer.encode('aa', 'text')).toEqual(Uint32Array.of(one[0] ?? 0, one[0] ?? 0));
  });

  it('gives back any Unicode text, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, fc.constantFrom('parse' as const, 'text' as const), async (text, special) => {
        expect(textOf(tokenizer, await tokenizer.encode(text, special))).toBe(text);
      }),
      { numRuns: 500, seed: 11 },
    );
  });

  it('has one table of all bytes, which says the same as tokenBytes', () => {
    const { bytes, ends } = tokenizer.tokenTable();
    expect(ends).toHaveLength(320);
    expect(ends.at(-1)).toBe(bytes.length);
    for (let id = 0; id < 320; id++)
      expect(bytes.subarray(ends[id - 1] ?? 0, ends[id])).toEqual(tokenizer.tokenBytes(id));
    // The 256 single bytes are all there.
    const singles = Array.from({ length: 320 }, (_, id) => tokenizer.tokenBytes(id)).filter(
      ({ length }) => length === 1,
    );
    expect(new Set(singles.map(([byte]) => byte)).size).toBe(256);
  });

  it('gives ids that a padded model has more of no bytes, and refuses those that it has not', () => {
    const padded = BpeTokenizer.fromJson(tinyJson, 384);
    expect(padded.tokenBytes(383)).toEqual(new Uint8Array());
    expect(padded.tokenTable().ends).toHaveLength(384);
    expect(() => padded.tokenBytes(384)).toThrow(expect.objectContaining({ code: 'invalid_value' }));
  });

  it('does not cut or pad, whatever the file says', async () => {
    const limited = BpeTokenizer.fromJson(
      changed((file) => {
        file['truncation'] = { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 };
      }),
    );
    expect(await limited.encode('abcdefghij', 'text')).toEqual(await tokenizer.encode('abcdefghij', 'text'));
  });

  it('keeps added tokens that are not special in both forms', async () => {
    const more = BpeTokenizer.fromJson(
      changed(({ added_tokens }) =>
        added_tokens.push({ ...added_tokens[0], id: 320, content: 'ab', special: false } as never),
      ),
    );
    expect(Array.from(await more.encode('ab', 'text'))).toEqual([320]);
    expect(Buffer.from(more.tokenBytes(320)).toString()).toBe('ab');
  });

  it.each([
    ['a cut file', tinyJson.slice(0, 1000), 'not valid JSON'],
    ['another kind of tokenizer', changed(({ model }) => (model.type = 'WordPiece')), "'model.type'"],
    ['no vocabulary', changed(({ model }) => delete (model as { vocab?: unknown }).vocab), "'model.vocab'"],
    ['a vocabulary that is not of bytes', changed(({ model }) => (model.vocab['▁the'] = 320)), 'stands for no byte'],
    ['damaged merges', changed(({ model }) => (model.merges = ['no such pair'])), 'cannot be used as a tokenizer'],
    ['JSON of something else', '[1, 2]', 'no tokenizer'],
  ])('refuses %s', (_what, json, words) => {
    const refusal = expect.objectContaining({
      code: 'model_invalid',
      message: expect.stringContaining(words) as string,
    });
    expect(() => BpeTokenizer.fromJson(json)).toThrow(refusal);
  });

  it('refuses the tokenizer of a model with more tokens', () => {
    expect(() => BpeTokenizer.fromJson(tinyJson, 300)).toThrow(
      expect.objectContaining({
        code: 'model_invalid',
        message: expect.stringMatching(/'model\.vocab'.* at most 300 tokens/) as string,
      }),
    );
  });
});

describe.skipIf(missing !== '')(`BpeTokenizer on Falcon-40B's vocabulary ${missing}`, () => {
  const tokenizer = missing === '' ? BpeTokenizer.fromJson(fileOf('tokenizer.json')) : null;

  it('gives the ids of the 46 vectors, in both forms, and their texts back', async () => {
    const separator = '\n__ggml_vocab_test__\n';
    const texts = `${fileOf('tokenizer-vectors.inp')}\n`.split(separator).slice(0, 46);
    const lines = fileOf('tokenizer-vectors.out').split('\n').slice(0, 46);
    expect(texts).toHaveLength(46);
    for (const [i, text] of texts.entries()) {
      const ids = (lines[i] ?? '').trim().split(/\s+/).filter(Boolean).map(Number);
      for (const special of ['parse', 'text'] as const) {
        const encoded = await tokenizer?.encode(text, special);
        expect({ text, ids: Array.from(encoded ?? []) }).toEqual({ text, ids });
        expect(tokenizer && textOf(tokenizer, encoded ?? new Uint32Array())).toBe(text);
      }
    }
  });

  it('keeps a special token in a user text as text', async () => {
    const text = 'a<|endoftext|>b';
    expect(Array.from((await tokenizer?.encode(text, 'parse')) ?? [])).toEqual([76, 11, 77]);
    expect(Array.from((await tokenizer?.encode(text, 'text')) ?? [])).toEqual([
      76, 39, 103, 415, 1487, 2164, 54146, 77,
    ]);
  });

  it('gives back 10,000 random Unicode texts, but for the 28 bytes that the vocabulary lacks', async () => {
    // Published so: 14 control characters, the 13 bytes of no UTF-8 text, and F2, which starts unassigned planes only. Every
    // library drops them.
    const known = new Set<number>();
    for (let id = 12; id < 65_024; id++) {
      const bytes = tokenizer?.tokenBytes(id) ?? [];
      if (bytes.length === 1) known.add(bytes[0] ?? 0);
    }
    expect(known.size).toBe(256 - 28);
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const ids = Array.from((await tokenizer?.encode(text, 'text')) ?? []);
        const bytes = Buffer.concat(ids.map((id) => tokenizer?.tokenBytes(id) ?? new Uint8Array()));
        expect(bytes.toString('hex')).toBe(
          Buffer.from(Buffer.from(text).filter((byte) => known.has(byte))).toString('hex'),
        );
      }),
      { numRuns: 10_000, seed: 40 },
    );
  });
});
