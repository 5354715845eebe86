import { describe, expect, it } from 'vitest';
import { NativeGrammars } from '../../src/adapters/engine-native/native-grammars.js';
import { toLineRequest } from '../../src/app/line/line-request.js';
import { errorCode } from '../../src/domain/errors.js';
import { ByteTokenizer } from '../support/byte-tokenizer.js';
import { testModel } from '../support/fake-world.js';
import { grammarVocabulary, whyNoGrammars } from '../support/grammar-vocabulary.js';

const reason = await whyNoGrammars();

const members = (count: number, of: unknown = { type: 'string' }, name = 'p'): object =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, of]));
const object = (count: number, of?: unknown): object => ({ type: 'object', properties: members(count, of) });
const nest = (depth: number, inner: object, wrap: (inner: object) => object): object => {
  let all = inner;
  for (let level = 0; level < depth; level++) all = wrap(all);
  return all;
};
const list = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i));
const exponential = (levels: number): object => ({
  $defs: Object.fromEntries(
    list(levels, (i) => [
      `d${i}`,
      i === 0 ? { type: 'string' } : { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] },
    ]),
  ),
  $ref: `#/$defs/d${levels - 1}`,
});

/** What was tried to make compiling a grammar expensive, and what would have been if a bound was missing. */
const attacks: [string, object][] = [
  // Regular expressions.
  ['nested stars', { guided_regex: '(a*)*b' }],
  ['nested pluses', { guided_regex: '((a+)+)+$' }],
  ['overlapping alternatives', { guided_regex: '(a|aa|aaa)+b' }],
  ['dots around a count', { guided_regex: '.*a.{1,500}b.*' }],
  ['a count of counts', { guided_regex: '(a{1,1000}b{1,1000}){1,1000}' }],
  ['counts of classes, three deep', { guided_regex: '(([a-z]{1,100}){1,100}){1,100}' }],
  ['a count of a billion', { guided_regex: 'a{1000000000}' }],
  ['a range up to a billion', { guided_regex: '[a-z]{1,1000000000}' }],
  ['many optional parts', { guided_regex: '(ab|c)?'.repeat(1000) }],
  ['many alternatives', { guided_regex: list(1000, (i) => `w${i * 7}`).join('|') }],
  ['exponential determinization', { guided_regex: `(a|b)*a${'(a|b)'.repeat(30)}` }],
  ['many groups', { guided_regex: `${'('.repeat(200)}a${')'.repeat(200)}` }],
  ['very many groups', { guided_regex: `${'('.repeat(4000)}a${')'.repeat(4000)}` }],
  ['all of Unicode', { guided_regex: String.raw`(\p{L}|\p{N}|\p{S}){1,200}` }],
  ['an intersection', { guided_regex: '(.*a.*)&(.*b.*)&(.*c.*)' }],
  ['look-ahead', { guided_regex: '(?=a)a' }],
  ['a back-reference', { guided_regex: String.raw`(a)\1` }],
  ['too many characters', { guided_regex: 'a'.repeat(8193) }],
  // Choices.
  ['the longest choices', { guided_choice: list(60, (i) => `${i}${'x'.repeat(990)}`) }],
  ['a thousand choices', { guided_choice: list(1000, (i) => `choice ${i}`) }],
  ['more than a thousand choices', { guided_choice: list(1001, (i) => `choice ${i}`) }],
  ['choices full of operators', { guided_choice: list(500, (i) => `.*(${i}+)?{9}`) }],
  // Grammars.
  ['left recursion', { guided_grammar: 'start: start "a" | "a"' }],
  ['an ambiguous grammar', { guided_grammar: 'start: start start | "a" | ""' }],
  ['a rule of nothing but itself', { guided_grammar: 'start: start' }],
  [
    'a ring of rules',
    { guided_grammar: list(500, (i) => `${i === 0 ? 'start' : `r${i}`}: r${i + 1 > 499 ? 1 : i + 1} "x"?`).join('\n') },
  ],
  [
    'five hundred rules',
    { guided_grammar: ['start: r0', ...list(500, (i) => `r${i}: "x${i}" r${(i * 7 + 1) % 500}?`)].join('\n') },
  ],
  [
    'tokens that repeat',
    { guided_grammar: ['start: T0', ...list(100, (i) => `T${i}: /[a-z]{1,${i + 1}}/`)].join('\n') },
  ],
  ['a token of a billion', { guided_grammar: 'start: A\nA: /a{1,1000000000}/' }],
  ['too many characters of grammar', { guided_grammar: `start: "a"\n${'// x\n'.repeat(4000)}` }],
  // Schemas.
  ['a thousand optional members', { guided_json: object(1000) }],
  ['1500 optional members', { guided_json: object(1500) }],
  ['a thousand required members', { guided_json: { ...object(1000), required: Object.keys(members(1000)) } }],
  ['objects of objects', { guided_json: object(30, object(30)) }],
  [
    'nested objects',
    {
      guided_json: nest(30, { type: 'string' }, (inner) => ({
        type: 'object',
        properties: { a: inner, b: { type: 'null' } },
      })),
    },
  ],
  ['nested lists', { guided_json: nest(50, { type: 'string' }, (items) => ({ type: 'array', items, maxItems: 2 })) }],
  ['allOf of 2^20', { guided_json: exponential(20) }],
  ['allOf of 2^200', { guided_json: exponential(200) }],
  ['a billion items', { guided_json: { type: 'array', minItems: 1_000_000_000, items: { type: 'integer' } } }],
  ['a billion characters', { guided_json: { type: 'string', minLength: 1_000_000_000 } }],
  [
    'recursion',
    { guided_json: { $defs: { n: { type: 'object', properties: { n: { $ref: '#/$defs/n' } } } }, $ref: '#/$defs/n' } },
  ],
  ['recursion without an end', { guided_json: { $defs: { n: { $ref: '#/$defs/n' } }, $ref: '#/$defs/n' } }],
  ['a $ref to a file', { guided_json: { $ref: 'file:///etc/passwd' } }],
  ['a $ref to a server', { guided_json: { $ref: 'http://127.0.0.1:9/schema.json' } }],
  ['a thousand branches', { guided_json: { anyOf: list(1000, (i) => ({ const: `value ${i}` })) } }],
  [
    'patterns in a hundred members',
    { guided_json: object(100, { type: 'string', pattern: '^[a-z]{1,50}(foo|bar)+$' }) },
  ],
  [
    '250 ranges of numbers',
    { guided_json: object(250, { type: 'integer', minimum: 123_456_789, maximum: 98_765_432_100 }) },
  ],
  ['multiples of a large number', { guided_json: { type: 'integer', multipleOf: 399_989 } }],
  ['multiples of as large a number as is allowed', { guided_json: { type: 'integer', multipleOf: 1999 } }],
  [
    'multiples of many numbers',
    { guided_json: { allOf: [503, 509, 521].map((multipleOf) => ({ type: 'integer', multipleOf })) } },
  ],
  [
    'a text of twenty patterns',
    { guided_json: { allOf: list(20, (i) => ({ type: 'string', pattern: `.*a${i}.*` })) } },
  ],
  ['a text of eight patterns', { guided_json: { allOf: list(8, (i) => ({ type: 'string', pattern: `.*a${i}.*` })) } }],
  ['thirty terminals intersected', { guided_grammar: `start: A\nA: ${list(30, (i) => `/.*a${i}.*/`).join(' & ')}` }],
  ['two large counts intersected', { guided_grammar: 'start: A\nA: /([ab]{9973})*c/ & /([ab]{9967})*c/' }],
  ['the same by negations', { guided_grammar: 'start: A\nA: ~(~/([ab]{9973})*c/ | ~/([ab]{9967})*c/)' }],
  [
    'a text of two large counts',
    { guided_json: { allOf: [9973, 9967].map((n) => ({ type: 'string', pattern: `^([ab]{${n}})*c$` })) } },
  ],
  ['a schema in a grammar', { guided_grammar: 'start: %json {"type": "integer", "multipleOf": 399989}' }],
  ['a thousand ranges of numbers', { guided_json: { anyOf: list(1000, (i) => ({ type: 'integer', minimum: i })) } }],
];

describe.skipIf(reason !== null)(`grammars that are to be expensive${reason === null ? '' : ` (${reason})`}`, () => {
  it('are as many as were tried', () => {
    expect(attacks).toHaveLength(58);
  });

  it.each(attacks)('%s: bounded', async (_, fields) => {
    const grammars = new NativeGrammars(grammarVocabulary);
    await grammars.check({ kind: 'regex', text: 'warm', leadingSpace: false });
    const before = process.cpuUsage();
    const rules = { model: testModel, tokenizer: new ByteTokenizer(), grammars };
    const body = { model: 'falcon', prompt: 'x', ...fields };
    const code = await toLineRequest({ customId: 'a', endpoint: '/v1/completions', body }, rules).then(
      () => null,
      (error: unknown) => errorCode(error),
    );
    const { user, system } = process.cpuUsage(before);
    // Taken, or refused with a reason that the caller can act on: never a crash, never a long compile.
    expect([null, 'invalid_value']).toContain(code);
    expect((user + system) / 1e6).toBeLessThan(3);
  });
});
