import { expect, test } from 'vitest';
import { runLine } from '../../../src/app/line/run-line.js';
import { completionObject } from '../../../src/contract/completion-object.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { ScriptedEngine, type Script } from '../../support/scripted-engine.js';
import { answering, jsonPost } from './answering.js';

const messages = [{ role: 'user' as const, content: 'Hi' }];

const script: Script = (ids, { sequenceKey }) =>
  ` ${Buffer.from(Uint8Array.from(ids)).toString()}é<bot${sequenceKey}END`;
test.each<[string, '/v1/completions' | '/v1/chat/completions', object]>([
  ['a text', '/v1/completions', { prompt: 'Hi' }],
  ['several prompts and choices', '/v1/completions', { prompt: ['a', 'b'], n: 2, best_of: 3, max_tokens: 9 }],
  ['scoring', '/v1/completions', { prompt: [[72, 105]], echo: true, logprobs: 1, max_tokens: 1, temperature: 0 }],
  ['stop strings', '/v1/completions', { prompt: 'Hi', stop: ['é<', 'x'], logprobs: 0 }],
  ['token ids', '/v1/completions', { prompt: 'Hi', return_token_ids: true, suffix: null }],
  ['a chat', '/v1/chat/completions', { messages, logprobs: true, top_logprobs: 2, n: 2, stop: 'END' }],
])('%s is answered as a line of a batch is', async (_, endpoint, fields) => {
  const { call, world } = await answering(script);
  const body = { model: 'falcon', seed: 5, ...fields };
  const live = (await (await call(endpoint, jsonPost(body))).json()) as object;
  const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: endpoint, body });
  const runner = {
    ...world,
    engine: new ScriptedEngine(script),
    tokenizer: new ByteTokenizer(),
    grammars: new FakeGrammars(),
  };
  const record = await runLine(runner, Buffer.from(line), null, new AbortController().signal);
  const batch = (JSON.parse(record.json) as { response: { body: object } }).response.body;
  // Byte for byte: the order of the members, too.
  expect(JSON.stringify({ ...live, id: '' })).toBe(JSON.stringify({ ...batch, id: '' }));
});

test('only a batch refuses to stream', async () => {
  const { call, world } = await answering(script);
  const body = { model: 'falcon', prompt: 'Hi', stream: true };
  expect((await call('/v1/completions', jsonPost(body))).status).toBe(200);
  const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/completions', body });
  const runner = {
    ...world,
    engine: new ScriptedEngine(script),
    tokenizer: new ByteTokenizer(),
    grammars: new FakeGrammars(),
  };
  const record = await runLine(runner, Buffer.from(line), null, new AbortController().signal);
  expect(record.json).toContain('"streaming_unsupported"');
});

test('without a seed, equal calls are sampled apart and say with which seed', async () => {
  const { call } = await answering(script);
  const seedOf = async (): Promise<unknown> =>
    completionObject.parse(await (await call('/v1/completions', jsonPost({ model: 'falcon', prompt: 'Hi' }))).json())
      .eyrie.seed;
  expect(await seedOf()).not.toBe(await seedOf());
});
