import { expect, test } from 'vitest';
import { larkExcess } from '../../../src/domain/lark-size.js';

test('a grammar intersects few terminals', () => {
  const intersected = (count: number) =>
    `start: A\nA: ${Array.from({ length: count }, (_, i) => `/.*${i}.*/`).join(' & ')}`;
  expect(larkExcess('start: "a" "b"~3..5 | "&&"')).toBeNull();
  expect(larkExcess(intersected(9))).toBeNull();
  expect(larkExcess(intersected(10))).toMatchObject({
    bound: 'grammarIntersectionsMax',
    what: expect.stringContaining("9 '&'") as string,
  });
});

test('schemas in a grammar have the bounds of schemas, all of them together', () => {
  const large = JSON.stringify({ type: 'integer', multipleOf: 99_991 });
  const half = JSON.stringify({ type: 'integer', multipleOf: 1500 });
  expect(larkExcess('start: "a" %json {"type": "object"} "b" %json\n {"enum": ["}\\"{", "%"]}')).toBeNull();
  for (const grammar of [
    `start: %json ${large}`,
    `start: "%json {}" %json${large}`,
    `start: a b\na: %json ${half}\nb: %json ${half}`,
    `start: %lark { start: %json ${large} }`,
  ])
    expect(larkExcess(grammar), grammar).toMatchObject({ bound: 'grammarMultiplesMax' });
  // The first seems to hold the second.
  const hidden = `start: "%json {" %json {":1}": 0, "type": "integer", "multipleOf": 99991}`;
  expect(larkExcess(hidden)).not.toBeNull();
  for (const unread of [
    'start: %json',
    'start: %json true',
    'start: %json {"a": ',
    'start: %json {a}',
    'start: %json // {}\n {}',
  ])
    expect(larkExcess(unread), unread).toMatchObject({ bound: null, what: expect.stringContaining('%json') as string });
  expect(larkExcess('start: ' + '%json {} '.repeat(8))).toBeNull();
  expect(larkExcess('start: ' + '%json {} '.repeat(9))).not.toBeNull();
});
