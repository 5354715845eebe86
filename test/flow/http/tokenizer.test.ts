import { expect, test } from 'vitest';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
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
