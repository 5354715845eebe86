import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { callLive } from '../../../src/app/live/call-live.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { eventually } from '../../support/eventually.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { startWorker, waiting } from './answering.js';
import { keyA, keyB, tenantA } from './fake-world.js';
import { errorOf, listening, type Listening } from './listening.js';

const post = ({ call }: Listening, path: string, body: unknown) =>
  call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

test('a text becomes ids and ids become a text', async () => {
  const server = await listening({ tokenizer: new ByteTokenizer() });
  const tokens = await (await post(server, '/tokenize', { prompt: 'Hü', return_token_strs: true })).json();
  expect(tokens).toEqual({
    count: 3,
    max_model_len: 2048,
    tokens: [0x48, 0xc3, 0xbc],
    token_strs: ['H', String.raw`bytes:\xc3`, String.raw`bytes:\xbc`],
  });
  expect(await (await post(server, '/detokenize', { tokens: [0x48, 0xc3, 0xbc] })).json()).toEqual({ prompt: 'Hü' });
  expect(await (await post(server, '/tokenize', { prompt: 'a', model: 'falcon' })).json()).toMatchObject({
    tokens: [97],
  });
});

test('a text of too many tokens is refused before they are listed', async () => {
  const server = await listening({ tokenizer: new ByteTokenizer() });
  const prompt = '鷲'.repeat(22_000);
  const answer = await post(server, '/tokenize', { prompt, return_token_strs: true });
  expect(answer.status).toBe(400);
  expect(await errorOf(answer)).toMatchObject({
    code: 'invalid_value',
    param: 'prompt',
    message:
      "Invalid value for 'prompt': its 22000 characters are 66000 tokens; at most 65536 are allowed. Cut the text.",
  });
  expect((await post(server, '/tokenize', { prompt: '鷲'.repeat(21_000), return_token_strs: true })).status).toBe(200);
});

test('the tokenizer knows whose text each is: of calls, of those that wait at a worker, and of dry runs', async () => {
  const { world, ...server } = await waiting();
  startWorker(world, () => 'a');
  const encode = vi.spyOn(ByteTokenizer.prototype, 'encode');
  onTestFinished(() => encode.mockRestore());
  const whose = () => encode.mock.calls.splice(0).map(([, , options]) => options?.tenant);
  const prompt = { model: 'falcon', prompt: 'x' };
  const sent = { ...server, world };
  for (const [path, body, times] of [
    ['/tokenize', prompt, 1],
    ['/v1/completions', prompt, 2],
    ['/v1/batches', { requests: [{ custom_id: 'a', body: prompt }], eyrie: { dry_run: true } }, 1],
  ] as const) {
    expect((await post(sent, path, body)).status).toBe(200);
    expect(whose()).toEqual(Array.from({ length: times }, () => tenantA));
  }
});

test('what is no token and no model is named', async () => {
  const server = await listening({ tokenizer: new ByteTokenizer() });
  const far = await post(server, '/detokenize', { tokens: [1, 99_999] });
  expect(await errorOf(far)).toMatchObject({ code: 'invalid_value', param: 'tokens[1]' });
  const other = await post(server, '/tokenize', { prompt: 'a', model: 'gpt' });
  expect(other.status).toBe(404);
  expect(await errorOf(other)).toMatchObject({ code: 'model_not_found', param: 'model' });
});

test('the tokenizer is described', async () => {
  const server = await listening({ tokenizer: new ByteTokenizer() });
  const info = await (await server.call('/tokenizer_info')).json();
  expect(info).toMatchObject({ bos_token: null, model_max_length: 2048, eos_token: expect.any(String) });
});

test('without a tokenizer the routes are not there', async () => {
  const { url } = await listening();
  expect((await fetch(`${url}/tokenizer_info`)).status).toBe(404);
  expect((await fetch(`${url}/tokenize`, { method: 'POST' })).status).toBe(404);
});

/** Tokenizes when it is told to, and notes what it was asked. */
class HeldTokenizer extends ByteTokenizer {
  readonly asked: string[] = [];
  readonly #waiting: (() => void)[] = [];

  override async encode(text: string): Promise<Uint32Array> {
    this.asked.push(text.slice(0, 2));
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return super.encode(text);
  }

  next(): void {
    this.#waiting.shift()?.();
  }
}

test('long texts of one tenant are tokenized one after the other, and keep no other tenant waiting', async () => {
  const tokenizer = new HeldTokenizer();
  const server = await listening({ tokenizer, grammars: new FakeGrammars() });
  const send = (key: string, path: string, body: object) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const long = 'x'.repeat(10_000);
  const first = send(keyA, '/tokenize', { prompt: `a1${long}` });
  await eventually('the first is begun', () => tokenizer.asked.length === 1);
  // Too long for the context: refused once it was tokenized.
  const second = send(keyA, '/v1/completions', { model: 'falcon', prompt: `a2${long}` });
  const third = send(keyA, '/v1/chat/completions', { model: 'falcon', messages: [{ role: 'user', content: long }] });
  const short = send(keyA, '/tokenize', { prompt: 'a3' });
  const other = send(keyB, '/tokenize', { prompt: `b1${long}` });
  await eventually('others are begun', () => tokenizer.asked.length >= 3);
  expect(tokenizer.asked.toSorted()).toEqual(['a1', 'a3', 'b1']);
  for (let n = 0; n < 3; n++) tokenizer.next();
  for (const { status } of await Promise.all([first, short, other])) expect(status).toBe(200);
  await eventually('the next is begun', () => tokenizer.asked.length === 4);
  tokenizer.next();
  await eventually('the last is begun', () => tokenizer.asked.length === 5);
  tokenizer.next();
  for (const answer of await Promise.all([second, third]))
    expect(await errorOf(answer)).toMatchObject({ code: 'context_length_exceeded' });
});

describe('a call that waits is refused at the prompt that passes the bound of its tokens', () => {
  const body = { model: 'falcon', prompt: Array.from({ length: 64 }, () => 'x'.repeat(2000)) };

  test('by the API', async () => {
    const tokenizer = new ByteTokenizer();
    const encode = vi.spyOn(tokenizer, 'encode');
    const server = await listening({ tokenizer, grammars: new FakeGrammars() });
    expect((await post(server, '/v1/completions', body)).status).toBe(400);
    expect(encode).toHaveBeenCalledTimes(17);
  });

  test('by a worker, which trusts nobody', async () => {
    const { world } = await waiting();
    startWorker(world, () => 'a');
    const encode = vi.spyOn(ByteTokenizer.prototype, 'encode');
    const call = callLive(world, tenantA, { v: 1, endpoint: '/v1/completions', body }, 1, new AbortController().signal);
    await expect(call.next()).rejects.toMatchObject({ message: expect.stringMatching(/17 prompts .* already 34000/) });
    expect(encode).toHaveBeenCalledTimes(17);
    encode.mockRestore();
  });
});
