import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { whyNoGrammars } from '../../support/grammar-vocabulary.js';
import { runCli } from '../../support/local-mode.js';
import { projectRoot } from '../../support/project-imports.js';
import { tempFolder } from '../../support/temp-folder.js';

const reason = await whyNoGrammars();
const demoModel = path.join(projectRoot, 'models/demo');

const schema = {
  type: 'object',
  properties: {
    answer: { type: 'string', maxLength: 12 },
    sure: { type: 'boolean' },
    digits: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 9 }, maxItems: 4 },
  },
  required: ['answer', 'sure', 'digits'],
  additionalProperties: false,
};

interface Answer {
  readonly text: string;
  readonly reason: string;
}
interface ResultLine {
  readonly custom_id: string;
  readonly response: {
    readonly body: {
      readonly error?: { readonly code: string; readonly param: string; readonly message: string };
      readonly choices?: readonly {
        readonly text?: string;
        readonly message?: { readonly content: string };
        readonly finish_reason: string;
      }[];
    };
  };
}

const line = (id: string, url: string, fields: object): string =>
  JSON.stringify({ custom_id: id, method: 'POST', url, body: { model: 'eyrie-demo', ...fields } });
const completion = (id: string, fields: object): string =>
  line(id, '/v1/completions', { prompt: '<human>: What is 12 plus 30?\n<bot>:', max_tokens: 200, ...fields });
const chat = (id: string, content: string, fields: object): string =>
  line(id, '/v1/chat/completions', { messages: [{ role: 'user', content }], max_tokens: 200, ...fields });

/** Runs the lines through `eyrie run-batch`; answers and errors by custom_id. */
async function runBatch(lines: readonly string[], ...flags: string[]) {
  const folder = await tempFolder();
  const [input, output] = [path.join(folder, 'in.jsonl'), path.join(folder, 'out.jsonl')];
  await writeFile(input, `${lines.join('\n')}\n`);
  const { code, stderr } = await runCli(['run-batch', '-i', input, '-o', output, '--model', demoModel, ...flags]);
  expect(code, stderr).toBe(0);
  const answers = new Map<string, Answer>();
  const errors = new Map<string, { code: string; param: string; message: string }>();
  for (const text of (await readFile(output, 'utf8')).trim().split('\n')) {
    const { custom_id: id, response } = JSON.parse(text) as ResultLine;
    const { choices, error } = response.body;
    if (error) errors.set(id, error);
    for (const [k, choice] of (choices ?? []).entries())
      answers.set(k === 0 ? id : `${id}.${k}`, {
        text: choice.text ?? choice.message?.content ?? '',
        reason: choice.finish_reason,
      });
  }
  return { answers, errors };
}

test.skipIf(reason !== null)(
  `lines with a schema, a choice or a pattern get answers that satisfy it${reason === null ? '' : ` (${reason})`}`,
  async () => {
    const jsonSchema = { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } };
    const review = 'Is this review positive or negative? The soup was cold. Never again!';
    const lines = [
      ...Array.from({ length: 20 }, (_, i) => completion(`schema-${i}`, { ...jsonSchema, temperature: 1, seed: i })),
      completion('choices', { ...jsonSchema, temperature: 1, n: 3 }),
      chat('chat-schema', 'Sort 31, 7, 19 from small to large.', jsonSchema),
      chat('sentiment', review, { guided_choice: ['positive', 'negative'], temperature: 0 }),
      chat('sum', 'What is 27 plus 45?', { guided_regex: String.raw`\d{1,3}`, temperature: 0 }),
      chat('lark', 'What is 27 plus 45?', { guided_grammar: 'start: "the sum is " N\nN: /[0-9]{2}/', temperature: 0 }),
      completion('cut', { ...jsonSchema, max_tokens: 3 }),
      completion('bad-schema', {
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'frob' } } },
      }),
      completion('bad-regex', { guided_regex: '(((' }),
    ];
    const { answers, errors } = await runBatch(lines);

    const satisfying = [
      ...Array.from({ length: 20 }, (_, i) => `schema-${i}`),
      'choices',
      'choices.1',
      'choices.2',
      'chat-schema',
    ];
    for (const id of satisfying) {
      const answer = answers.get(id);
      expect(answer?.reason).toBe('stop');
      const value = JSON.parse(answer?.text ?? '') as { answer: string; sure: boolean; digits: number[] };
      expect(Object.keys(value)).toEqual(['answer', 'sure', 'digits']);
      expect(value.answer.length).toBeLessThanOrEqual(12);
      expect(value.sure).toBeTypeOf('boolean');
      expect(value.digits.every((digit) => Number.isInteger(digit) && digit >= 0 && digit <= 9)).toBe(true);
    }
    // What the model would say by itself, without the space that its turns begin with.
    expect(answers.get('sentiment')).toEqual({ text: 'negative', reason: 'stop' });
    expect(answers.get('sum')).toEqual({ text: '72', reason: 'stop' });
    expect(answers.get('lark')?.text).toMatch(/^the sum is \d\d$/);
    expect(answers.get('cut')?.reason).toBe('length');
    expect(errors.get('bad-schema')).toMatchObject({
      code: 'invalid_value',
      param: 'response_format.json_schema.schema',
      message: expect.stringContaining('frob') as string,
    });
    expect(errors.get('bad-regex')).toMatchObject({ code: 'invalid_value', param: 'guided_regex' });

    // The same lines, last one first, with other slots and threads: the same answers.
    const again = await runBatch(lines.toReversed(), '--slots', '3', '--threads', '2', '--prefill-tokens', '64');
    for (const [id, answer] of answers) expect(again.answers.get(id), id).toEqual(answer);
  },
  120_000,
);
