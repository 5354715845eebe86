import { expect, test, vi } from 'vitest';
import { toLineRequest } from '../../../../src/app/line/line-request.js';
import { ByteTokenizer } from '../../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../../support/fake-grammars.js';
import { testModel } from '../../../support/fake-world.js';

function encoding(body: object, chat = false) {
  const tokenizer = new ByteTokenizer();
  const encode = vi.spyOn(tokenizer, 'encode');
  const endpoint = chat ? '/v1/chat/completions' : '/v1/completions';
  const line = toLineRequest(
    { customId: 'a', endpoint, body: { model: 'falcon', max_tokens: 1, ...body } },
    { model: testModel, tokenizer, grammars: new FakeGrammars(), tenant: 'alice' },
  );
  const pieces = (): string[] => encode.mock.calls.map(([text]) => text);
  return { line, encode, pieces };
}

const context = testModel.contextTokens;
/** No character is cut in two. */
const isWhole = (text: string): boolean => Buffer.from(text).toString() === text;
/** Eight bytes for each token of the context, and of an edge. */
const firstBytes = 8 * (context + 64);

test.each(['鷲', 'é', '😀', 'a鷲'])(
  'of a long text of strange characters no more is tokenized than a piece of so many bytes: %s',
  async (unit) => {
    const text = unit.repeat(10_600);
    const { line, pieces } = encoding({ prompt: text });
    await expect(line).rejects.toMatchObject({ code: 'context_length_exceeded' });
    expect(pieces()).toHaveLength(1);
    const [piece = ''] = pieces();
    expect(text.startsWith(piece)).toBe(true);
    expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(firstBytes);
    expect(Buffer.byteLength(piece)).toBeGreaterThan(firstBytes - 4);
    expect(isWhole(piece)).toBe(true);
  },
);

test.each(['鷲', '😀', 'a😀'])('of one that may be cut, its end: %s', async (unit) => {
  const text = unit.repeat(10_600);
  const { line, pieces } = encoding({ prompt: text, eyrie: { truncate: 'head' } });
  const [prompt] = (await line).prompts;
  const end = Buffer.from(text).subarray(-(context - 1));
  expect(Buffer.from(prompt?.ids ?? [])).toEqual(end);
  expect(pieces()).toHaveLength(1);
  const [piece = ''] = pieces();
  expect(text.endsWith(piece)).toBe(true);
  expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(firstBytes);
  expect(isWhole(piece)).toBe(true);
});

test('a text of few tokens is tokenized in growing pieces, up to the most bytes that fit the context', async () => {
  const tokenizer = new ByteTokenizer();
  const bytes: number[] = [];
  vi.spyOn(tokenizer, 'encode').mockImplementation((text) => {
    bytes.push(Buffer.byteLength(text));
    return Promise.resolve(Uint32Array.of(1));
  });
  const read = (prompt: string) =>
    toLineRequest(
      { customId: 'a', endpoint: '/v1/completions', body: { model: 'falcon', prompt } },
      { model: testModel, tokenizer, grammars: new FakeGrammars() },
    );
  const most = (context + 64) * tokenizer.tokenBytesMax;
  await expect(read('a'.repeat(900_000))).rejects.toMatchObject({ code: 'context_length_exceeded' });
  expect(bytes).toEqual([firstBytes, most]);
  bytes.length = 0;
  // Whole, and so short that it fits.
  await expect(read('a'.repeat(most))).resolves.toBeDefined();
  expect(bytes).toEqual([firstBytes, most]);
});

test.each([
  ['a completion', { prompt: 'x' }, false],
  ['a chat', { messages: [{ role: 'user', content: 'x' }] }, true],
])('the tokenizer knows whose prompt it is: %s', async (_, body, chat) => {
  const { line, encode } = encoding(body, chat);
  await line;
  expect(encode.mock.calls.map(([, , options]) => options)).toEqual([{ tenant: 'alice' }]);
});
