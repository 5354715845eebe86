import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import { NativeGrammars } from '../../src/adapters/engine-native/native-grammars.js';
import type {
  NativeEngine,
  NativeGrammar,
  NativeGrammarSource,
  NativeRequest,
  NativeResult,
} from '../../src/adapters/engine-native/native-types.js';
import { bounds } from '../../src/domain/bounds.js';
import { grammarMemory, type Grammar } from '../../src/domain/grammar.js';
import { grammarEngine, grammarVocabulary, whyNoGrammars } from '../support/grammar-vocabulary.js';
import { END_TOKEN, openTiny, seededRandom, tinyCheckpoint, tinyRequest } from '../support/tiny-falcon.js';

const reason = await whyNoGrammars();

const person = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 8 },
    age: { type: 'integer', minimum: 0, maximum: 120 },
    tags: { type: 'array', items: { enum: ['a', 'b', 'é'] }, maxItems: 3 },
  },
  required: ['name', 'age'],
  additionalProperties: false,
};
interface Person {
  readonly name: string;
  readonly age: number;
  readonly tags?: string[];
}

const schema = (value: object, leadingSpace = false): NativeGrammarSource => ({
  kind: 'json_schema',
  text: JSON.stringify(value),
  leadingSpace,
});

async function compile(source: NativeGrammarSource): Promise<NativeGrammar> {
  return (await loadAddon().openGrammars(grammarVocabulary)).compile(source);
}

const sampled = (grammar: NativeGrammar, seed: number, changes: Partial<NativeRequest> = {}): NativeRequest =>
  tinyRequest({ maxTokens: 300, ignoreEos: false, temperature: 1, seed: BigInt(seed), grammar, ...changes });

const textOf = (result: NativeResult): string => Buffer.from(result.textBytes).toString();

async function generateAll(engine: NativeEngine, requests: readonly NativeRequest[]): Promise<NativeResult[]> {
  return Promise.all(requests.map((request, id) => engine.generate(id, request)));
}

describe.skipIf(reason !== null)(`grammars in the engine${reason === null ? '' : ` (${reason})`}`, () => {
  it('hold every sampled answer to its schema', async () => {
    const engine = await openTiny({ ...grammarEngine, slots: 16 });
    const grammar = await compile(schema(person));
    const results = await generateAll(
      engine,
      Array.from({ length: 200 }, (_, seed) => sampled(grammar, seed)),
    );
    for (const result of results) {
      expect(result.finishReason).toBe('stop');
      // The closing brace ends it: no end token is needed.
      expect([...result.tokenIds].every((id) => id > END_TOKEN)).toBe(true);
      const { name, age, tags = [], ...rest } = JSON.parse(textOf(result)) as Person;
      expect(rest).toEqual({});
      expect(Array.from(name).length).toBeLessThanOrEqual(8);
      expect(Number.isInteger(age) && age >= 0 && age <= 120).toBe(true);
      expect(tags.length).toBeLessThanOrEqual(3);
      expect(tags.every((tag) => ['a', 'b', 'é'].includes(tag))).toBe(true);
    }
    expect(new Set(results.map(textOf)).size).toBeGreaterThan(150);
  });

  it('hold it to any kind, with the end token where more would be possible', async () => {
    const engine = await openTiny({ ...grammarEngine, slots: 16 });
    const kinds: [NativeGrammarSource, RegExp][] = [
      [{ kind: 'regex', text: String.raw`\d{3}-(ab|é){1,4}`, leadingSpace: false }, /^\d{3}-(ab|é){1,4}$/],
      [{ kind: 'choice', text: '["yes","yes, of course","no"]', leadingSpace: true }, /^ (yes|yes, of course|no)$/],
      [{ kind: 'lark', text: 'start: A "," A\nA: /[a-c]{1,4}/', leadingSpace: false }, /^[a-c]{1,4},[a-c]{1,4}$/],
    ];
    for (const [source, pattern] of kinds) {
      const grammar = await compile(source);
      const results = await generateAll(
        engine,
        Array.from({ length: 50 }, (_, seed) => sampled(grammar, seed, { topP: seed % 2 === 0 ? 1 : 0.7 })),
      );
      for (const result of results) {
        expect(result.finishReason).toBe('stop');
        expect(textOf(result)).toMatch(pattern);
      }
    }
    const object = await compile({ kind: 'json_object', text: '', leadingSpace: false });
    const results = await generateAll(
      engine,
      Array.from({ length: 20 }, (_, seed) => sampled(object, seed)),
    );
    const complete = results.filter(({ finishReason }) => finishReason === 'stop');
    expect(complete.length).toBeGreaterThan(0);
    for (const result of complete) expect(JSON.parse(textOf(result))).toBeTypeOf('object');
  });

  it('are cut at maxTokens', async () => {
    const engine = await openTiny(grammarEngine);
    const grammar = await compile(schema(person));
    const result = await engine.generate(1, sampled(grammar, 1, { maxTokens: 5 }));
    expect(result).toMatchObject({ finishReason: 'length' });
    expect(result.tokenIds).toHaveLength(5);
  });

  it('give the same bytes in any company, with any slots and threads', async () => {
    const modelDirectory = await tinyCheckpoint(grammarEngine.config);
    const sources: (NativeGrammarSource | null)[] = [
      schema(person),
      { kind: 'regex', text: '(ab|c){3,20}', leadingSpace: true },
      null,
      { kind: 'choice', text: '["one","two","three"]', leadingSpace: false },
    ];
    const grammars = await Promise.all(sources.map((source) => (source ? compile(source) : Promise.resolve(null))));
    const random = seededRandom(3);
    const requests = Array.from({ length: 60 }, (_, i) =>
      tinyRequest({
        promptIds: Uint32Array.from({ length: 1 + Math.floor(random() * 90) }, () => 12 + Math.floor(random() * 250)),
        maxTokens: 1 + Math.floor(random() * 120),
        temperature: i % 3 === 0 ? 0 : 1,
        topK: i % 5 === 0 ? 10 : 0,
        repetitionPenalty: i % 7 === 0 ? 1.2 : 1,
        minTokens: i % 4 === 1 ? 1 : 0,
        ignoreEos: i % 2 === 0,
        seed: BigInt(i),
        logprobs: i % 6 === 0 ? 2 : -1,
        grammar: grammars[i % grammars.length] ?? null,
      }),
    );
    const alone = await openTiny({ ...grammarEngine, modelDirectory, slots: 1, threads: 1 });
    const expected: NativeResult[] = [];
    for (const [id, request] of requests.entries()) expected.push(await alone.generate(id, request));
    for (const company of [
      { slots: 4, threads: 1, prefillTokens: 64 },
      { slots: 32, threads: 2, prefillTokens: 512 },
    ]) {
      const engine = await openTiny({ ...grammarEngine, modelDirectory, ...company });
      expect(await generateAll(engine, requests)).toEqual(expected);
    }
  });

  it('take only what compile() gave, of the right vocabulary', async () => {
    const engine = await openTiny(grammarEngine);
    const grammar = await compile(schema(person));
    for (const wrong of [undefined, {}, 'x', 7, [], { ...grammar }])
      await expect(
        engine.generate(1, { ...sampled(grammar, 1), grammar: wrong as unknown as NativeGrammar }),
      ).rejects.toMatchObject({ code: 'invalid_request' });
    const other = await openTiny();
    await expect(other.generate(1, sampled(grammar, 1))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('vocabSize') as string,
    });
    await expect(compile({ kind: 'xml' as 'regex', text: '', leadingSpace: false })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it('end only their own sequence when they take too much effort', async () => {
    const engine = await openTiny({ ...grammarEngine, slots: 8 });
    // More optional members than a step may look at.
    const properties = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`p${i}`, { type: 'string' }]));
    const heavy = await compile(schema({ type: 'object', properties, required: ['p1499'] }));
    const light = await compile(schema(person));
    const results = await Promise.allSettled([
      engine.generate(1, sampled(heavy, 1)),
      ...Array.from({ length: 10 }, (_, i) => engine.generate(10 + i, sampled(light, i))),
    ]);
    expect(results[0]).toMatchObject({ status: 'rejected', reason: { code: 'invalid_request' } });
    expect(results.slice(1).every(({ status }) => status === 'fulfilled')).toBe(true);
  });
});

describe.skipIf(reason !== null)(`compiled grammars${reason === null ? '' : ` (${reason})`}`, () => {
  const regex = (text: string): Grammar => ({ kind: 'regex', text, leadingSpace: false });

  it('are kept for the next line that asks for the same', async () => {
    const grammars = new NativeGrammars(grammarVocabulary);
    const first = await grammars.compiled(regex('a+'));
    expect(await grammars.compiled(regex('a+'))).toBe(first);
    expect(await grammars.compiled({ ...regex('a+'), leadingSpace: true })).not.toBe(first);
    const many = bounds.grammarsKeptBytes / grammarMemory(regex(''));
    for (let i = 0; i < many; i++) await grammars.check(regex(`b{${i + 1}}`));
    expect(await grammars.compiled(regex('a+'))).not.toBe(first);
  });

  it('say what is wrong with them, each time', async () => {
    const grammars = new NativeGrammars(grammarVocabulary);
    for (let i = 0; i < 2; i++)
      await expect(grammars.check(regex('((('))).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('unclosed group') as string,
      });
    await expect(grammars.check(regex('a'))).resolves.toBeUndefined();
  });
});

it('grammars need a tokenizer', async () => {
  await expect(
    new NativeGrammars(null).check({ kind: 'json_object', text: '', leadingSpace: false }),
  ).rejects.toMatchObject({ code: 'unsupported_device' });
});
