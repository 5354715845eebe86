import { describe, expect, test } from 'vitest';
import { toLineRequest } from '../../../src/app/line/line-request.js';
import { runLine, type LineRunner } from '../../../src/app/line/run-line.js';
import { bounds } from '../../../src/domain/bounds.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { humanBotStops } from '../../../src/domain/human-bot-prompt.js';
import type { SequenceRequest } from '../../../src/ports/engine.js';
import type { Grammars } from '../../../src/ports/grammars.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { CountingIds } from '../../support/counting-ids.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { testModel } from '../../support/fake-world.js';
import { ScriptedEngine } from '../../support/scripted-engine.js';

const rules = (grammars: Grammars = new FakeGrammars()) => ({
  model: testModel,
  tokenizer: new ByteTokenizer(),
  grammars,
});

/** What a body makes of a request to the engine. */
async function sampling(fields: object, grammars?: Grammars) {
  const body = { model: 'falcon', prompt: 'Hi', ...fields };
  const line = await toLineRequest({ customId: 'a', endpoint: '/v1/completions', body }, rules(grammars));
  return line.sampling;
}
async function chatSampling(fields: object) {
  const body = { model: 'falcon', messages: [{ role: 'user', content: 'Hi' }], ...fields };
  const line = await toLineRequest({ customId: 'a', endpoint: '/v1/chat/completions', body }, rules());
  return line.sampling;
}

const schema = { type: 'object', properties: { a: { type: 'integer' } } };
const schemaGrammar = { kind: 'json_schema', text: JSON.stringify(schema), leadingSpace: false };
const jsonSchema = (more: object = {}) => ({
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, ...more } },
});

describe('a body that holds its answer to a form', () => {
  test.each<[string, object, object | null]>([
    ['nothing', {}, null],
    ['text', { response_format: { type: 'text' } }, null],
    ['null', { response_format: null, guided_json: null, structured_outputs: null }, null],
    ['an empty structured_outputs', { structured_outputs: { json_object: false } }, null],
    [
      'json_object',
      { response_format: { type: 'json_object' } },
      { kind: 'json_object', text: '', leadingSpace: false },
    ],
    ['json_schema', jsonSchema(), schemaGrammar],
    ['json_schema with all its members', jsonSchema({ strict: true, description: 'what it is for' }), schemaGrammar],
    ['guided_json', { guided_json: schema }, schemaGrammar],
    ['guided_json as text', { guided_json: JSON.stringify(schema) }, schemaGrammar],
    ['guided_regex', { guided_regex: '[ab]+' }, { kind: 'regex', text: '[ab]+', leadingSpace: false }],
    ['guided_choice', { guided_choice: ['a', 'b'] }, { kind: 'choice', text: '["a","b"]', leadingSpace: false }],
    ['guided_grammar', { guided_grammar: 'start: "a"' }, { kind: 'lark', text: 'start: "a"', leadingSpace: false }],
    ['structured_outputs.json', { structured_outputs: { json: schema } }, schemaGrammar],
    [
      'structured_outputs.json_object',
      { structured_outputs: { json_object: true } },
      { kind: 'json_object', text: '', leadingSpace: false },
    ],
    [
      'structured_outputs.regex',
      { structured_outputs: { regex: 'a' } },
      { kind: 'regex', text: 'a', leadingSpace: false },
    ],
    [
      'structured_outputs.choice',
      { structured_outputs: { choice: ['x'] } },
      { kind: 'choice', text: '["x"]', leadingSpace: false },
    ],
    [
      'structured_outputs.grammar',
      { structured_outputs: { grammar: 'start: "a"' } },
      { kind: 'lark', text: 'start: "a"', leadingSpace: false },
    ],
  ])('%s', async (_name, fields, grammar) => {
    expect((await sampling(fields)).grammar).toEqual(grammar);
  });

  test.each<[string, object, string, string, RegExp]>([
    ['an unknown format', { response_format: { type: 'xml' } }, 'invalid_value', 'response_format.type', /json_schema/],
    [
      'no schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'a' } } },
      'missing_required_parameter',
      'response_format.json_schema.schema',
      /Missing/,
    ],
    [
      'no name',
      { response_format: { type: 'json_schema', json_schema: { schema } } },
      'missing_required_parameter',
      'response_format.json_schema.name',
      /Missing/,
    ],
    ['a wrong name', jsonSchema({ name: 'a b' }), 'invalid_value', 'response_format.json_schema.name', /letters/],
    [
      'a schema that is none',
      jsonSchema({ schema: 'x' }),
      'invalid_type',
      'response_format.json_schema.schema',
      /object/,
    ],
    [
      'an unknown member',
      jsonSchema({ strictly: true }),
      'unknown_parameter',
      'response_format.json_schema.strictly',
      /spelling/,
    ],
    ['text that is no JSON', { guided_json: '{' }, 'invalid_value', 'guided_json', /not JSON/],
    ['text that is no schema', { guided_json: '[1]' }, 'invalid_value', 'guided_json', /object/],
    [
      'text that nests too deep',
      { guided_json: `${'{"items":'.repeat(100)}{}${'}'.repeat(100)}` },
      'invalid_value',
      'guided_json',
      /deeper than 64/,
    ],
    [
      'a schema that is too large',
      jsonSchema({ schema: { title: 'x'.repeat(bounds.grammarBytesMax) } }),
      'invalid_value',
      'response_format.json_schema.schema',
      /at most 65536/,
    ],
    ['no choices', { guided_choice: [] }, 'invalid_value', 'guided_choice', /at least one/],
    ['an empty choice', { guided_choice: ['a', ''] }, 'invalid_value', 'guided_choice[1]', /empty/],
    [
      'too many choices',
      { guided_choice: Array.from({ length: 1001 }, (_, i) => `${i}`) },
      'invalid_value',
      'guided_choice',
      /at most 1000/,
    ],
    ['an empty regex', { guided_regex: '' }, 'invalid_value', 'guided_regex', /empty/],
    ['a long regex', { guided_regex: 'a'.repeat(8193) }, 'invalid_value', 'guided_regex', /8192/],
    [
      'a long grammar',
      { structured_outputs: { grammar: 'a'.repeat(16_385) } },
      'invalid_value',
      'structured_outputs.grammar',
      /16384/,
    ],
    [
      'two forms',
      { ...jsonSchema(), guided_regex: 'a' },
      'invalid_value',
      'guided_regex',
      /'response_format.json_schema.schema' is there too/,
    ],
    [
      'two in structured_outputs',
      { structured_outputs: { regex: 'a', choice: ['a'] } },
      'invalid_value',
      'structured_outputs.choice',
      /one of them/,
    ],
    [
      'one that nothing satisfies',
      jsonSchema({ schema: { title: 'unsatisfiable' } }),
      'invalid_value',
      'response_format.json_schema.schema',
      /no text satisfies it/,
    ],
  ])('%s is refused', async (_name, fields, code, param, message) => {
    await expect(sampling(fields)).rejects.toMatchObject({
      code,
      param,
      message: expect.stringMatching(message) as string,
    });
  });

  test('is refused where there are no grammars, with the field', async () => {
    const none: Grammars = {
      check: () => Promise.reject(new EyrieError('unsupported_device', 'this build has no structured output')),
    };
    await expect(sampling({ guided_regex: 'a' }, none)).rejects.toMatchObject({
      code: 'unsupported_value',
      param: 'guided_regex',
      message: expect.stringContaining('no structured output') as string,
    });
    await expect(sampling({}, none)).resolves.toMatchObject({ grammar: null });
  });

  test('any other failure of the check is not the line’s fault', async () => {
    const broken: Grammars = { check: () => Promise.reject(new EyrieError('out_of_memory', 'no memory')) };
    await expect(sampling({ guided_regex: 'a' }, broken)).rejects.toMatchObject({ code: 'out_of_memory', param: null });
  });
});

describe('a chat whose answer is held to a form', () => {
  test('begins with the space of the prompt format, and a turn mark in it ends nothing', async () => {
    const free = await chatSampling({ stop: 'END' });
    expect(free.stop).toEqual(['END', ...humanBotStops]);
    const held = await chatSampling({ stop: 'END', guided_choice: ['a'] });
    expect(held.stop).toEqual(['END']);
    expect(held.grammar).toEqual({ kind: 'choice', text: '["a"]', leadingSpace: true });
  });

  test.each([
    [' {"a":"<human>: x"}', '{"a":"<human>: x"}'],
    ['  two spaces', ' two spaces'],
    [' ends like a mark\n<bot', 'ends like a mark\n<bot'],
  ])('%j is answered as %j', async (said, content) => {
    const runner: LineRunner & { engine: ScriptedEngine } = {
      ...rules(),
      engine: new ScriptedEngine(() => said),
      clock: new FakeClock(),
      ids: new CountingIds(),
    };
    const body = {
      model: 'falcon',
      messages: [{ role: 'user', content: 'Hi' }],
      max_tokens: 100,
      response_format: { type: 'json_object' },
    };
    const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body });
    const record = await runLine(runner, Buffer.from(line), null, new AbortController().signal);
    const answer = JSON.parse(record.json) as {
      response: { body: { choices: { message: { content: string } }[] } };
    };
    expect(answer.response.body.choices[0]?.message.content).toBe(content);
    expect(runner.engine.requests.map(({ grammar }: SequenceRequest) => grammar?.kind)).toEqual(['json_object']);
  });
});
