import { expect, test } from 'vitest';
import { larkExcess } from '../../../src/domain/lark-size.js';

test('terminals are not intersected or negated; what looks like it is taken', () => {
  for (const grammar of [
    'start: "a" "b"~3..5 | A~2 // & ~A\nA: "&&" | "~" | /&|~x\\/ & y/ | <|a&b|> # ~B',
    'start: "\\"" "&" "\\\\" A ~ 3\nA: /"/ /[&"]/',
    'start: %json {"const": "~a & b"} "c"',
  ])
    expect(larkExcess(grammar), grammar).toBeNull();
  for (const grammar of [
    'start: A\nA: /([ab]{9973})*c/ & /([ab]{9967})*c/',
    'start: A\nA: ~(~/a/ | ~/b/)',
    'start: "\\\\" & A // "\nA: "b"',
    'start: <"> & <">',
    'start: "a" /"/ & /"/',
    'start: A // "\nA: B & C // "',
    'start: A # /\nA: B & C # /',
  ])
    expect(larkExcess(grammar), grammar).toMatchObject({
      bound: null,
      what: expect.stringContaining('cannot be intersected or negated') as string,
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
    expect(larkExcess(unread), unread).toMatchObject({ bound: 'grammarSchemasMax' });
  expect(larkExcess('start: ' + '%json {} '.repeat(8))).toBeNull();
  expect(larkExcess('start: ' + '%json {} '.repeat(9))).not.toBeNull();
});
