import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineRejection, readLine } from '../../../src/app/line/read-line.js';
import { fromForeignLine } from '../../../src/domain/foreign-line.js';
import { testModel } from '../../support/fake-world.js';

const model = testModel.id;
const messages = [{ role: 'user', content: 'hi' }];
const read = (line: unknown, endpoint: Parameters<typeof readLine>[1] = null) =>
  readLine(Buffer.from(JSON.stringify(line)), endpoint, testModel);

function rejectionOf(line: unknown, endpoint: Parameters<typeof readLine>[1] = null): LineRejection {
  try {
    read(line, endpoint);
  } catch (error) {
    if (error instanceof LineRejection) return error;
    throw error;
  }
  throw new Error('The line was taken.');
}

describe('a line in the words of another service is the OpenAI line that says the same', () => {
  test('Bedrock: a prompt is a completion', () => {
    const modelInput = { prompt: 'Hi', max_gen_len: 5, topP: 0.5, temperature: 0, stop_sequences: ['x'] };
    expect(read({ recordId: 'r1', modelInput })).toEqual({
      customId: 'r1',
      endpoint: '/v1/completions',
      body: { model, prompt: 'Hi', max_tokens: 5, top_p: 0.5, temperature: 0, stop: ['x'] },
    });
  });

  test('Bedrock: messages are a chat, and the system text is its first message', () => {
    const system = [{ type: 'text', text: 'Be brief.' }];
    const modelInput = { anthropic_version: 'bedrock-2023-05-31', max_tokens: 5, system, messages };
    expect(read({ recordId: 'r1', modelInput })).toEqual({
      customId: 'r1',
      endpoint: '/v1/chat/completions',
      body: { model, max_tokens: 5, messages: [{ role: 'system', content: system }, ...messages] },
    });
  });

  test('Anthropic: params are a chat', () => {
    const params = { model: 'falcon', max_tokens: 5, system: 'Be brief.', messages, top_k: 3, stop_sequences: [] };
    expect(read({ custom_id: 'c1', params })).toEqual({
      customId: 'c1',
      endpoint: '/v1/chat/completions',
      body: {
        model: 'falcon',
        max_tokens: 5,
        messages: [{ role: 'system', content: 'Be brief.' }, ...messages],
        top_k: 3,
        stop: [],
      },
    });
  });
});

test.each([
  ['a prompt and messages', { recordId: 'r', modelInput: { prompt: 'x', messages } }, 'invalid_request', 'modelInput'],
  ['neither', { recordId: 'r', modelInput: { inputText: 'x' } }, 'invalid_request', 'modelInput'],
  ['no object', { recordId: 'r', modelInput: [1] }, 'invalid_request', 'modelInput'],
  ['two requests in one', { recordId: 'r', modelInput: {}, params: {} }, 'invalid_request', 'modelInput'],
  [
    'one thing said twice',
    { custom_id: 'r', params: { messages, max_tokens: 1, maxTokens: 2 } },
    'invalid_request',
    'params.maxTokens',
  ],
  [
    'a system text without messages',
    { recordId: 'r', modelInput: { prompt: 'x', system: 'y' } },
    'invalid_request',
    'modelInput.system',
  ],
  ['no recordId', { modelInput: { prompt: 'x' } }, 'missing_required_parameter', 'recordId'],
  ['a recordId that is no text', { recordId: 7, modelInput: { prompt: 'x' } }, 'invalid_custom_id', 'recordId'],
  ['no custom_id', { params: { messages } }, 'missing_required_parameter', 'custom_id'],
  ['another model', { custom_id: 'r', params: { model: 'claude', messages } }, 'model_not_found', 'body.model'],
  ['a url, so an OpenAI line', { custom_id: 'r', url: '/v1/x', params: {} }, 'missing_required_parameter', 'method'],
])('%s is refused', (_, line, code, param) => {
  expect(rejectionOf(line)).toMatchObject({ code, param });
});

test('the batch names the endpoint: a line of the other kind is refused, with its id', () => {
  const rejection = rejectionOf({ recordId: 'r1', modelInput: { messages } }, '/v1/completions');
  expect(rejection).toMatchObject({ code: 'invalid_url', param: 'url', customId: 'r1' });
  expect(rejection.message).toContain('/v1/chat/completions');
});

const names =
  'custom_id recordId params modelInput body url method prompt messages system max_tokens maxTokens stop stop_sequences model __proto__ constructor toString';
const name = fc.constantFrom(...names.split(' '));
const json = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.jsonValue({ maxDepth: 1 }), tie('object'), fc.array(tie('value'))),
  object: fc
    .array(fc.tuple(fc.oneof(name, fc.string()), tie('value')), { maxLength: 6 })
    // As JSON.parse makes them: also a member named __proto__ is one.
    .map((entries) => {
      const text = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value) ?? 'null'}`);
      return JSON.parse(`{${text.join(',')}}`) as Record<string, unknown>;
    }),
})).object as fc.Arbitrary<Record<string, unknown>>;

test('whatever a line holds, it is read or rejected with a code, the same each time', () => {
  fc.assert(
    fc.property(
      json,
      fc.constantFrom(null, '/v1/completions' as const, '/v1/chat/completions' as const),
      (line, to) => {
        const once = (): unknown => {
          try {
            return read(line, to);
          } catch (error) {
            if (!(error instanceof LineRejection)) throw error;
            return [error.code, error.param, error.message, error.customId];
          }
        };
        expect(once()).toEqual(once());
      },
    ),
    { numRuns: 3000 },
  );
});

test('the mapping changes nothing of what it is given, and loses no member', () => {
  const member = fc.string().filter((text) => !['prompt', 'messages', 'system', 'anthropic_version'].includes(text));
  fc.assert(
    fc.property(fc.string(), fc.dictionary(member, fc.jsonValue()), fc.string(), (id, rest, prompt) => {
      const line = { recordId: id, modelInput: { ...rest, prompt } };
      const before = structuredClone(line);
      let mapped;
      try {
        mapped = fromForeignLine(line, model);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_request' });
        return;
      }
      expect(line).toEqual(before);
      expect(mapped?.custom_id).toBe(id);
      const kept = Object.values(rest).filter((value) => value !== null).length;
      expect(Object.keys(mapped?.body ?? {})).toHaveLength(
        kept + (Object.hasOwn(rest, 'model') && rest['model'] !== null ? 1 : 2),
      );
    }),
  );
});
