import { describe, expect, test } from 'vitest';
import { NoTokenizer } from '../../../src/adapters/no-tokenizer/no-tokenizer.js';
import { runLine, type LineRunner } from '../../../src/app/line/run-line.js';
import type { SequenceRequest } from '../../../src/ports/engine.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { CountingIds } from '../../support/counting-ids.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { FakeClock } from '../../support/fake-clock.js';
import { testModel } from '../../support/fake-world.js';
import { ScriptedEngine, type Script } from '../../support/scripted-engine.js';

function runner(script: Script = () => ' fine'): LineRunner & { engine: ScriptedEngine } {
  return {
    engine: new ScriptedEngine(script),
    tokenizer: new ByteTokenizer(),
    grammars: new FakeGrammars(),
    model: testModel,
    clock: new FakeClock(),
    ids: new CountingIds(),
  };
}

interface Body {
  readonly choices: readonly {
    text?: string;
    message?: { role: string; content: string; refusal: null };
    finish_reason: string;
    logprobs: {
      tokens?: string[];
      token_logprobs?: (number | null)[];
      top_logprobs?: unknown;
      text_offset?: number[];
      content?: { token: string }[];
    } | null;
    token_ids?: number[];
    prompt_token_ids?: number[];
  }[];
  readonly usage: object;
  readonly model: string;
  readonly eyrie: { seed: number };
  readonly error?: { code: string; param: string; message: string };
}

async function run(on: LineRunner, url: string, body: object, customId = 'a'): Promise<Body> {
  const line = JSON.stringify({ custom_id: customId, method: 'POST', url, body: { model: 'falcon', ...body } });
  const record = await runLine(on, Buffer.from(line), null, new AbortController().signal);
  return (JSON.parse(record.json) as { response: { body: Body } }).response.body;
}

const completion = (on: LineRunner, body: object, customId?: string): Promise<Body> =>
  run(on, '/v1/completions', body, customId);
const chat = (on: LineRunner, body: object): Promise<Body> => run(on, '/v1/chat/completions', body);

const lastRequest = ({ engine }: { engine: ScriptedEngine }): SequenceRequest => {
  const request = engine.requests.at(-1);
  if (!request) throw new Error('The engine was not asked.');
  return request;
};
const promptText = (request: SequenceRequest): string => Buffer.from(Uint8Array.from(request.promptIds)).toString();

describe('completions', () => {
  test('the answer carries the full model id, usage with the end token, and the seed', async () => {
    const body = await completion(runner(), { prompt: 'Hi', max_tokens: 20 });
    expect(body).toMatchObject({
      model: 'test/falcon',
      object: 'text_completion',
      usage: { prompt_tokens: 2, completion_tokens: 6, total_tokens: 8 },
    });
    expect(body.choices[0]).toMatchObject({ text: ' fine', finish_reason: 'stop', logprobs: null });
    expect(Number.isSafeInteger(body.eyrie.seed)).toBe(true);
  });

  test('without max_tokens sixteen tokens at most are generated, fewer at the end of the context', async () => {
    const on = runner();
    await completion(on, { prompt: 'Hi' });
    expect(lastRequest(on).maxTokens).toBe(16);
    await completion(on, { prompt: Array.from({ length: 250 }, () => 7) });
    expect(lastRequest(on).maxTokens).toBe(6);
  });

  test('an empty text is the end token', async () => {
    const on = runner();
    await completion(on, { prompt: '' });
    expect([...lastRequest(on).promptIds]).toEqual([testModel.endTokenId]);
  });

  test('the whole context may be used, one token more is refused', async () => {
    const prompt = Array.from({ length: 200 }, () => 7);
    expect((await completion(runner(), { prompt, max_tokens: 56 })).error).toBeUndefined();
    expect((await completion(runner(), { prompt, max_tokens: 57 })).error).toMatchObject({
      code: 'context_length_exceeded',
      param: 'prompt',
      message: expect.stringContaining('maximum context length is 256') as string,
    });
  });

  test('truncate drops the oldest tokens', async () => {
    const on = runner();
    await completion(on, {
      prompt: Array.from({ length: 300 }, (_, at) => at % 200),
      max_tokens: 6,
      eyrie: { truncate: 'head' },
    });
    expect(lastRequest(on).promptIds).toHaveLength(250);
    expect(lastRequest(on).promptIds[0]).toBe(50);
  });

  test('echo with log-probabilities: prompt and answer in four parallel arrays', async () => {
    const { choices } = await completion(
      runner(() => 'ab'),
      { prompt: 'Hé', max_tokens: 10, echo: true, logprobs: 1 },
    );
    expect(choices[0]?.text).toBe('Héab');
    expect(choices[0]?.logprobs?.tokens).toEqual(['H', 'bytes:\\xc3', 'bytes:\\xa9', 'a', 'b', '<|endoftext|>']);
    expect(choices[0]?.logprobs?.token_logprobs).toEqual([null, 0, 0, 0, 0, 0]);
    expect(choices[0]?.logprobs?.text_offset).toEqual([0, 1, 1, 2, 3, 4]);
    expect(choices[0]?.logprobs?.top_logprobs).toHaveLength(6);
  });

  test('max_tokens 0 with echo only scores', async () => {
    const on = runner(() => '');
    const { choices } = await completion(on, { prompt: 'ab', max_tokens: 0, echo: true, logprobs: 0 });
    expect(lastRequest(on)).toMatchObject({ maxTokens: 0, promptLogprobs: true });
    expect(choices[0]?.text).toBe('ab');
  });

  test('logprobs 0 gives the actual token alone', async () => {
    const { choices } = await completion(
      runner(() => 'a'),
      { prompt: 'x', max_tokens: 1, echo: true, logprobs: 0 },
    );
    expect(choices[0]?.logprobs?.top_logprobs).toEqual([null, { a: 0 }]);
  });

  test('tokens without a text are named by their ids, so that none is lost', async () => {
    const on = { ...runner(() => ''), tokenizer: new NoTokenizer(testModel.vocabSize) };
    const { choices } = await completion(on, { prompt: [5, 6], max_tokens: 0, echo: true, logprobs: 3 });
    expect(choices[0]?.text).toBe('');
    expect(choices[0]?.logprobs).toMatchObject({
      tokens: ['token_id:5', 'token_id:6'],
      top_logprobs: [null, { 'token_id:0': 0, 'token_id:1': 0, 'token_id:2': 0, 'token_id:6': 0 }],
      text_offset: [0, 0],
    });
  });

  test('with echo, a character may begin in the prompt and end in the answer', async () => {
    const { choices } = await completion(
      { ...runner(() => new TextDecoder('latin1').decode(Uint8Array.of(0x41))) },
      { prompt: [0xc3], max_tokens: 1, echo: true, logprobs: 0 },
    );
    expect(choices[0]).toMatchObject({ text: '\ufffdA', logprobs: { text_offset: [0, 1] } });
  });

  test('return_token_ids adds the ids of prompt and answer', async () => {
    const { choices } = await completion(
      runner(() => 'x'),
      { prompt: [72, 105], return_token_ids: true },
    );
    expect(choices[0]).toMatchObject({ prompt_token_ids: [72, 105], token_ids: [120, testModel.endTokenId] });
  });

  test('a seed of the user is used as given; the default one depends on custom_id and body alone', async () => {
    const on = runner();
    const seeds = [];
    for (const [body, id] of [
      [{ prompt: 'x', seed: -1 }, 'a'],
      [{ prompt: 'x' }, 'a'],
      [{ prompt: 'x' }, 'a'],
      [{ prompt: 'x' }, 'b'],
      [{ prompt: 'y' }, 'a'],
    ] as const) {
      await completion(on, body, id);
      seeds.push(lastRequest(on).seed);
    }
    expect(seeds[0]).toBe(2n ** 64n - 1n);
    expect(seeds[1]).toBe(seeds[2]);
    expect(new Set(seeds.slice(2)).size).toBe(3);
  });

  test('seeds are any int64; beyond 2^53 they are read as doubles', async () => {
    const on = runner();
    for (const [seed, used] of [
      ['9007199254740993', 2n ** 53n],
      ['9223372036854775807', 2n ** 63n],
      ['-9223372036854775808', 2n ** 63n],
    ] as const) {
      const { eyrie } = await completion(on, { prompt: 'x', seed: JSON.parse(seed) as number });
      expect(lastRequest(on).seed).toBe(used);
      // What is reported gives the same answer again.
      await completion(on, { prompt: 'x', seed: eyrie.seed });
      expect(lastRequest(on).seed).toBe(used);
    }
  });

  test.each([
    [{ top_p: 1e-46 }, { topP: 2 ** -126 }],
    [{ top_k: 2 ** 40 }, { topK: testModel.vocabSize }],
    [{ top_k: -1 }, { topK: 0 }],
    [{ min_tokens: 16 }, { minTokens: 16 }],
    [
      { logit_bias: { '7': -100, '8': 0.5 } },
      {
        logitBias: new Map([
          [7, -100],
          [8, 0.5],
        ]),
      },
    ],
    [{ stop: [] }, { stop: [] }],
  ])('%j is taken', async (fields, expected) => {
    const on = runner();
    await completion(on, { prompt: 'x', ...fields });
    expect(lastRequest(on)).toMatchObject(expected);
  });

  test.each([
    [{ stop: Array.from({ length: 17 }, () => 'a') }, 'stop', 'at most 16 stop strings are allowed'],
    [{ stop: 5 }, 'stop', 'a string, or an array of up to 16 strings'],
    [{ stop: ['a', ''] }, 'stop[1]', 'may not be empty'],
    [{ min_tokens: 17 }, 'min_tokens', 'At most 16 tokens will be generated'],
    [{ seed: 2 ** 64 }, 'seed', 'from -2^63 to 2^63 - 1'],
    [{ seed: 0.5 }, 'seed', 'an integer'],
    [{ best_of: 0 }, 'best_of', '1 to 16'],
    [{ repetition_penalty: 0 }, 'repetition_penalty', '0.001 to 10'],
    [{ logit_bias: { x: 1 } }, 'logit_bias.x', 'the keys of logit_bias are token ids'],
    [{ logit_bias: [1] }, 'logit_bias', 'an object of token ids and numbers'],
    [{ prompt: ['a', 1] }, 'prompt[1]', 'expected string'],
    [{ prompt: [1, 'a'] }, 'prompt[1]', 'expected number'],
    [{ prompt: [[1], 'a'] }, 'prompt[1]', 'expected array'],
    [{ prompt: [[1, null]] }, 'prompt[0][1]', 'expected number'],
  ])('%j is refused with what is allowed', async (fields, param, words) => {
    const { error } = await completion(runner(), { prompt: 'x', ...fields });
    expect(error).toMatchObject({ param, message: expect.stringContaining(words) as string });
  });

  test('best_of generates more and returns the best', async () => {
    const on = runner();
    const { choices, usage } = await completion(on, { prompt: 'x', n: 2, best_of: 5, temperature: 1 });
    expect(on.engine.requests).toHaveLength(5);
    expect(new Set(on.engine.requests.map(({ sequenceKey }) => sequenceKey)).size).toBe(5);
    expect(choices).toHaveLength(2);
    expect(usage).toMatchObject({ completion_tokens: 30 });
  });

  test.each([
    [{ prompt: [] }, 'prompt'],
    [{ prompt: [[]] }, 'prompt'],
    [{ prompt: ['a', 1] }, 'prompt'],
    [{ prompt: 'x', n: 0 }, 'n'],
    [{ prompt: 'x', best_of: 1, n: 2 }, 'best_of'],
    [{ prompt: 'x', max_tokens: 0 }, 'max_tokens'],
    [{ prompt: 'x', max_tokens: 1.5 }, 'max_tokens'],
    [{ prompt: 'x', top_p: 0 }, 'top_p'],
    [{ prompt: 'x', stop: Array.from({ length: 17 }, () => 'a') }, 'stop'],
    [{ prompt: 'x', stop: '' }, 'stop'],
    [{ prompt: 'x', logprobs: 6 }, 'logprobs'],
    [{ prompt: 'x', suffix: 'y' }, 'suffix'],
    [{ prompt: 'x', logit_bias: { hello: 1 } }, 'logit_bias'],
    [{ prompt: 'x', logit_bias: { 99_999: 1 } }, 'logit_bias'],
    [{ prompt: 'x', tempreature: 1 }, 'tempreature'],
    [{ prompt: 'x', eyrie: { truncat: 'head' } }, 'eyrie.truncat'],
  ])('%j is refused with the field named', async (body, param) => {
    const { error } = await completion(runner(), body);
    expect(error?.param).toContain(param);
    expect(error?.message.length).toBeGreaterThan(20);
  });

  test('null is absent, and what cannot change the text is ignored', async () => {
    const on = runner();
    await completion(on, {
      prompt: 'x',
      temperature: null,
      stop: null,
      n: null,
      user: 'u',
      stop_token: undefined,
      stream: false,
      stop_: undefined,
    });
    expect(lastRequest(on)).toMatchObject({ temperature: 1, topP: 1, stop: [] });
  });
});

describe('chat', () => {
  const messages = [
    { role: 'system', content: 'Be short.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Hi ' },
        { type: 'text', text: 'there' },
      ],
    },
  ];

  test('is rendered as human_bot, and the answer is cleaned', async () => {
    const on = runner(() => ' Hello!\n<human>: more');
    const { choices } = await chat(on, { messages });
    expect(promptText(lastRequest(on))).toBe('Be short.\n<human>: Hi there\n<bot>:');
    expect(choices[0]).toMatchObject({
      message: { role: 'assistant', content: 'Hello!', refusal: null },
      finish_reason: 'stop',
      logprobs: null,
    });
  });

  test('log-probabilities cover the text alone', async () => {
    const { choices } = await chat(
      runner(() => 'ab\n<human>:'),
      { messages, logprobs: true, top_logprobs: 2 },
    );
    expect(choices[0]?.logprobs?.content?.map(({ token }) => token)).toEqual(['a', 'b']);
  });

  test.each([
    [{ messages: [] }, 'messages'],
    [{ messages: [{ role: 'assistant', content: 'x' }] }, 'messages'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role'],
    [{ messages, tools: [{ type: 'function' }] }, 'tools'],
    [{ messages, max_tokens: 1, max_completion_tokens: 2 }, 'max_completion_tokens'],
    [{ messages, top_logprobs: 2 }, 'top_logprobs'],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'x' }] }] }, 'messages[0].content'],
  ])('%j is refused with the field named', async (body, param) => {
    expect((await chat(runner(), body)).error?.param).toContain(param);
  });

  test('empty tools and ignored fields pass', async () => {
    const body = await chat(runner(), {
      messages,
      tools: [],
      tool_choice: 'none',
      store: true,
      metadata: { a: 'b' },
      parallel_tool_calls: true,
    });
    expect(body.error).toBeUndefined();
  });
});
