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
