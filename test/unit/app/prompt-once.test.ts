import { expect, test } from 'vitest';
import { toLineRequest } from '../../../src/app/line/line-request.js';
import { responseJson } from '../../../src/app/line/response-json.js';
import { runSequences } from '../../../src/app/line/run-sequences.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { testModel } from '../../support/fake-world.js';
import { responseObject } from '../../support/response-object.js';
import { ScriptedEngine } from '../../support/scripted-engine.js';

const tokenizer = new ByteTokenizer();
const never = new AbortController().signal;
const frame = { id: 'x', created: 1, model: 'm', fingerprint: 'f' };

async function run(fields: object) {
  const body = { model: 'falcon', prompt: ['ab', 'ab', 'c'], echo: true, logprobs: 2, ...fields };
  const line = await toLineRequest(
    { customId: 'a', endpoint: '/v1/completions', body },
    { model: testModel, tokenizer, grammars: new FakeGrammars() },
  );
  const engine = new ScriptedEngine((_, { sequenceKey }) => `said ${sequenceKey}`, { variedLogprobs: true });
  const results = await runSequences(line, engine, never);
  return { line, engine, results };
}

test('equal prompts that are scored are read once, for all their candidates', async () => {
  const { line, engine, results } = await run({ n: 4, max_tokens: 0 });
  expect(engine.requests.map(({ promptIds }) => Buffer.from(promptIds).toString())).toEqual(['ab', 'c']);
  const json = [...responseJson(frame, line, results, tokenizer)].join('');
  expect(json).toBe(JSON.stringify(responseObject(frame, line, results, tokenizer)));
  const { choices } = JSON.parse(json) as {
    choices: { index: number; text: string; logprobs: { tokens: string[] } }[];
  };
  expect(choices.map(({ index, text }) => `${index} ${text}`)).toEqual([
    ...Array.from({ length: 8 }, (_, index) => `${index} ab`),
    ...Array.from({ length: 4 }, (_, k) => `${8 + k} c`),
  ]);
  expect(choices.every(({ text, logprobs }) => logprobs.tokens.join('') === text)).toBe(true);
});

test('with an answer behind it, a prompt is scored once and each candidate generated', async () => {
  const { engine, results } = await run({ n: 4, max_tokens: 40 });
  expect(engine.requests).toHaveLength(12);
  expect(engine.requests.filter(({ promptLogprobs }) => promptLogprobs)).toHaveLength(2);
  for (const { chosen } of results)
    for (const result of chosen) {
      expect(result.promptLogprobs).toEqual(chosen[0]?.promptLogprobs);
      expect(result.promptLogprobs?.chosen.length).toBeGreaterThan(0);
    }
  expect(
    new Set(results.flatMap(({ chosen }) => chosen.map(({ textBytes }) => Buffer.from(textBytes).toString()))).size,
  ).toBe(12);
});
