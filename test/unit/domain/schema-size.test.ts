import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { schemaExcess } from '../../../src/domain/schema-size.js';

const properties = (count: number, of: object = {}): object => ({
  properties: Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, of])),
});

test('a schema has so many members and number limits, at all depths together', () => {
  expect(schemaExcess({ type: 'object', ...properties(1000, { type: 'string' }) })).toBeNull();
  expect(schemaExcess({ type: 'object', ...properties(1500, { type: 'string' }) })).toMatchObject({
    bound: 'grammarMembersMax',
    what: expect.stringContaining(`more than ${bounds.grammarMembersMax} members`) as string,
  });
  const inList = { anyOf: Array.from({ length: 300 }, (_, i) => ({ type: 'integer', minimum: i, maximum: 2 * i })) };
  expect(schemaExcess(inList)).toMatchObject({ bound: 'grammarRangesMax' });
  expect(schemaExcess(properties(200, { minimum: 1, maximum: 2 }))).toBeNull();
  let nested: object = {};
  for (let depth = 0; depth < 60; depth++) nested = { ...properties(40), inner: nested };
  expect(schemaExcess(nested)).toMatchObject({ bound: 'grammarMembersMax' });
});

test('anything is a schema here', () => {
  for (const value of [null, true, 1, 'x', [], {}, [[[]]]]) expect(schemaExcess(value)).toBeNull();
});

const patterns = (count: number): object[] =>
  Array.from({ length: count }, (_, i) => ({ type: 'string', pattern: `.*a${i}.*` }));

test('patterns that may hold of one text are few, those that stand apart may be many', () => {
  const [eight, nine] = [patterns(8), patterns(9)];
  const apart = (all: object[]) => ({
    type: 'object',
    properties: Object.fromEntries(all.map((of, i) => [`p${i}`, of])),
  });
  const [first, ...others] = nine;
  const chain = nine.reduce((inner, of) => ({ ...of, anyOf: [inner] }));
  const refs = Object.fromEntries(nine.map((of, i) => [`d${i}`, i === 0 ? of : { ...of, $ref: `#/$defs/d${i - 1}` }]));
  expect(schemaExcess(apart(patterns(200)))).toBeNull();
  expect(schemaExcess({ title: 'a', anyOf: patterns(200) })).toBeNull();
  expect(schemaExcess({ ...apart(patterns(200)), description: 'one', allOf: undefined })).not.toBeNull();
  expect(
    schemaExcess({ $defs: { d: apart(nine) }, allOf: [{ $ref: '#/$defs/d' }], title: 'as pydantic does' }),
  ).toBeNull();
  expect(schemaExcess({ allOf: eight })).toBeNull();
  for (const schema of [
    { allOf: nine },
    { type: 'array', items: { allOf: nine } },
    { allOf: nine.map((of) => apart([of])) },
    { ...first, anyOf: others },
    { ...first, allOf: [{ allOf: others }] },
    { anyOf: nine, oneOf: nine },
    { ...apart(nine), patternProperties: { '^p': { type: 'string' } } },
    { $defs: refs, $ref: '#/$defs/d8' },
    chain,
  ])
    expect(schemaExcess(schema), JSON.stringify(schema)).toMatchObject({
      bound: 'grammarPatternsJoinedMax',
      what: expect.stringMatching(/\b\d+ patterns.*at most 8/) as string,
    });
});

test('multiples are bounded by how many units of their last decimal they have, together and where they meet', () => {
  const one = (multipleOf: unknown) => ({ type: 'number', multipleOf });
  const both = (...of: number[]) => ({ allOf: of.map(one) });
  for (const schema of [
    one(2000),
    one(0.01),
    one(1.999),
    properties(400, one(5)),
    both(44, 45),
    both(0.01, 5),
    one('x'),
    one(-1),
  ])
    expect(schemaExcess(schema), JSON.stringify(schema)).toBeNull();
  for (const schema of [
    one(2001),
    one(2.001),
    one(1e300),
    one(1e-9),
    one(Infinity),
    properties(401, one(5)),
    both(45, 46),
    both(0.01, 21),
    both(3, 5, 7, 11, 13),
  ])
    expect(schemaExcess(schema), JSON.stringify(schema)).toMatchObject({ bound: 'grammarMultiplesMax' });
});
