import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { answerBytesMost } from '../../../src/app/line/answer-size.js';
import { toLineRequest } from '../../../src/app/line/line-request.js';
import { responseJson } from '../../../src/app/line/response-json.js';
import { runSequences } from '../../../src/app/line/run-sequences.js';
import { checkLiveSize, checkPromptTokens, checkSequences } from '../../../src/app/live/live-size.js';
import type { BoundName } from '../../../src/domain/bounds.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { testModel } from '../../support/fake-world.js';
import { ScriptedEngine } from '../../support/scripted-engine.js';

const tokenizer = new ByteTokenizer();
const rules = { model: { ...testModel, contextTokens: 2048 }, tokenizer, grammars: new FakeGrammars() };
const prompts = (count: number, chars: number): string[] => Array.from({ length: count }, () => 'x'.repeat(chars));
const completion = (fields: object) =>
  toLineRequest(
    { customId: 'a', endpoint: '/v1/completions', body: { model: 'falcon', prompt: 'x', ...fields } },
    rules,
  );
const chat = (fields: object) =>
  toLineRequest(
    {
      customId: 'a',
      endpoint: '/v1/chat/completions',
      body: { model: 'falcon', messages: [{ role: 'user', content: 'x' }], ...fields },
    },
    rules,
  );
const passes = (bound: BoundName) => expect.objectContaining({ code: 'invalid_value', bound }) as Error;

describe('a call that waits for its answer', () => {
  test('may have so many sequences, counted before anything is tokenized', () => {
    expect(() => checkSequences({ prompt: prompts(64, 1) })).not.toThrow();
    expect(() => checkSequences({ prompt: [1, 2, 3], n: 16 })).not.toThrow();
    expect(() => checkSequences({ prompt: prompts(65, 1) })).toThrow(passes('liveSequencesMax'));
    expect(() => checkSequences({ prompt: prompts(5, 1), n: 2, best_of: 16 })).toThrow(
      /5 prompts with 16 candidates each .* are 80 sequences; .* may have 64\. .*POST \/v1\/batches/,
    );
  });

  test.each<[string, object, BoundName]>([
    ['sequences', { prompt: prompts(128, 1), n: 16 }, 'liveSequencesMax'],
    ['prompt tokens', { prompt: prompts(17, 2000) }, 'livePromptTokensMax'],
    ['prompt tokens, each candidate with its own', { prompt: prompts(2, 2000), n: 9 }, 'livePromptTokensMax'],
    ['tokens to generate', { prompt: prompts(17, 1), max_tokens: 2000 }, 'liveOutputTokensMax'],
    ['bytes', { prompt: prompts(16, 1900), echo: true, logprobs: 5, max_tokens: 0 }, 'liveAnswerBytesMax'],
  ])('is refused when it has more %s than its bound', async (_, fields, bound) => {
    const line = await completion(fields);
    expect(() => checkLiveSize(line)).toThrow(passes(bound));
  });

  test('is refused at the prompt that passes the bound: the others are not tokenized', async () => {
    const encode = vi.spyOn(tokenizer, 'encode');
    const body = { model: 'falcon', prompt: prompts(64, 2000) };
    const line = { customId: 'a', endpoint: '/v1/completions', body } as const;
    await expect(toLineRequest(line, { ...rules, checkPrompts: checkPromptTokens })).rejects.toMatchObject({
      bound: 'livePromptTokensMax',
    });
    expect(encode).toHaveBeenCalledTimes(17);
    encode.mockRestore();
  });

  test('is refused for the log-probabilities of a chat too', async () => {
    const most = await chat({ logprobs: true, top_logprobs: 20, n: 3, max_tokens: 1900 });
    expect(() => checkLiveSize(most)).toThrow(passes('liveAnswerBytesMax'));
    const fine = await chat({ logprobs: true, top_logprobs: 20, max_tokens: 2000 });
    expect(() => checkLiveSize(fine)).not.toThrow();
  });

  test('may be a batch of an evaluation harness, and sixteen answers of a full context', async () => {
    const scoring = await completion({ prompt: prompts(32, 500), echo: true, logprobs: 1, max_tokens: 1 });
    expect(() => checkLiveSize(scoring)).not.toThrow();
    const long = await completion({ n: 16, max_tokens: 2000 });
    expect(() => checkLiveSize(long)).not.toThrow();
  });
});

test('a line whose answer would be too large for a worker is refused, in a batch too', async () => {
  const fields = { prompt: prompts(128, 2000), n: 16, echo: true, logprobs: 5, max_tokens: 1 };
  await expect(completion(fields)).rejects.toMatchObject({ code: 'invalid_value', bound: 'lineAnswerBytesMax' });
});

test('no answer is larger than what was estimated', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.string({ minLength: 1, maxLength: 60, unit: 'binary' }),
          fc.constantFrom('\u0001'.repeat(900), '"'.repeat(900)),
        ),
        { minLength: 1, maxLength: 3 },
      ),
      fc.record({
        n: fc.integer({ min: 1, max: 3 }),
        max_tokens: fc.integer({ min: 1, max: 60 }),
        echo: fc.boolean(),
        return_token_ids: fc.boolean(),
        logprobs: fc.constantFrom(null, 0, 5),
      }),
      async (prompt, fields) => {
        const line = await completion({ prompt, ...fields });
        const engine = new ScriptedEngine(() => 'said '.repeat(20), { variedLogprobs: true });
        const results = await runSequences(line, engine, new AbortController().signal);
        const frame = { id: 'x', created: 1, model: 'm', fingerprint: 'f' };
        const json = [...responseJson(frame, line, results, tokenizer)].join('');
        expect(Buffer.byteLength(json)).toBeLessThan(500 + answerBytesMost(line, tokenizer));
      },
    ),
  ));
