import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { errorOf, listening } from './listening.js';

/** The requests of a create call: a body that may hold anything. */
const request = '{"custom_id":"a","body":{"model":"falcon","prompt":"x"}}';
const file = '"input_file_id":"file-01","endpoint":"/v1/completions","completion_window":"24h"';
const withMetadata = (pairs: string): string => `{${file},"metadata":{${pairs}}}`;
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const raw = (...bytes: number[]): Buffer => Buffer.from(bytes);
const deep = (levels: number): string => `{${file},"metadata":${'['.repeat(levels)}${']'.repeat(levels)}}`;

const cases: readonly (readonly [what: string, body: string | Buffer, status: number, code?: string])[] = [
  ['no bytes but blanks', '   ', 400, 'invalid_json'],
  ['an opening brace', '{', 400, 'invalid_json'],
  ['a closing brace', '}', 400, 'invalid_json'],
  ['two objects', '{}{}', 400, 'invalid_json'],
  ['text behind the object', '{} x', 400, 'invalid_json'],
  ['a comma at the end', `{${file},}`, 400, 'invalid_json'],
  ['a comma at the start', `{,${file}}`, 400, 'invalid_json'],
  ['a missing colon', '{"a" 1}', 400, 'invalid_json'],
  ['a missing value', '{"a":}', 400, 'invalid_json'],
  ['single quotes', "{'a':1}", 400, 'invalid_json'],
  ['a name without quotes', '{a:1}', 400, 'invalid_json'],
  ['a comment', `{${file}/* x */}`, 400, 'invalid_json'],
  ['NaN', '{"a":NaN}', 400, 'invalid_json'],
  ['Infinity', '{"a":Infinity}', 400, 'invalid_json'],
  ['undefined', '{"a":undefined}', 400, 'invalid_json'],
  ['a hexadecimal number', '{"a":0x10}', 400, 'invalid_json'],
  ['a number with a zero before it', '{"a":01}', 400, 'invalid_json'],
  ['a number with a plus', '{"a":+1}', 400, 'invalid_json'],
  ['a point without digits', '{"a":1.}', 400, 'invalid_json'],
  ['an exponent without digits', '{"a":1e}', 400, 'invalid_json'],
  ['a minus alone', '{"a":-}', 400, 'invalid_json'],
  ['True', '{"a":True}', 400, 'invalid_json'],
  ['a line end in a text', '{"a":"\n"}', 400, 'invalid_json'],
  ['a zero byte in a text', '{"a":"\0"}', 400, 'invalid_json'],
  ['a zero byte behind', `{${file}}\0`, 400, 'invalid_json'],
  ['an unknown escape', String.raw`{"a":"\x41"}`, 400, 'invalid_json'],
  ['half an escape', String.raw`{"a":"\u12"}`, 400, 'invalid_json'],
  ['a text without end', '{"a":"', 400, 'invalid_json'],
  ['a backslash at the end', '{"a":"\\', 400, 'invalid_json'],
  ['brackets that do not match', '{"a":[}]', 400, 'invalid_json'],
  ['UTF-16', utf16(`{${file}}`), 400, 'invalid_json'],
  ['UTF-16 with its mark', Buffer.concat([raw(0xff, 0xfe), utf16(`{${file}}`)]), 400, 'invalid_json'],
  ['Latin-1', Buffer.from('{"a":"é"}', 'latin1'), 400, 'invalid_json'],
  ['an overlong form', Buffer.concat([Buffer.from('{"a":"'), raw(0xc0, 0xaf), Buffer.from('"}')]), 400, 'invalid_json'],
  [
    'half a character as UTF-8',
    Buffer.concat([Buffer.from('{"a":"'), raw(0xed, 0xa0, 0x80), Buffer.from('"}')]),
    400,
    'invalid_json',
  ],
  [
    'wrong UTF-8 in a request',
    Buffer.concat([Buffer.from('{"requests":[{"a":"'), raw(0xff), Buffer.from('"}]}')]),
    400,
    'invalid_json',
  ],
  ['a mark before a request', '{"requests":[\ufeff{}]}', 400, 'invalid_json'],
  ['two marks', `\ufeff\ufeff{${file}}`, 400, 'invalid_json'],
  ['a byte order mark', `\ufeff{"requests":[${request}]}`, 200],
  ['64 levels', deep(62), 400, 'invalid_type'],
  ['65 levels', deep(64), 400, 'invalid_json'],
  ['100,000 levels', '['.repeat(100_000), 400, 'invalid_json'],
  ['65 levels in a request', `{"requests":[{"a":${'['.repeat(64)}${']'.repeat(64)}}]}`, 400, 'invalid_json'],
  ['no object', '[]', 400, 'invalid_type'],
  ['a text', '"x"', 400, 'invalid_type'],
  ['a number', '1', 400, 'invalid_type'],
  ['null', 'null', 400, 'invalid_type'],
  ['a member __proto__', '{"__proto__":{"a":1}}', 400, 'unknown_parameter'],
  ['a member constructor', `{${file},"constructor":1}`, 400, 'unknown_parameter'],
  ['a member without a name', `{${file},"":1}`, 400, 'unknown_parameter'],
  ['a name of 100,000 characters', `{${file},"${'x'.repeat(100_000)}":1}`, 400, 'unknown_parameter'],
  ['a name with a line end', `{${file},"a\\nb":1}`, 400, 'unknown_parameter'],
  ['16 pairs', withMetadata(Array.from({ length: 16 }, (_, n) => `"k${n}":"v"`).join(',')), 200],
  ['17 pairs', withMetadata(Array.from({ length: 17 }, (_, n) => `"k${n}":"v"`).join(',')), 400, 'invalid_value'],
  ['one name again and again', withMetadata(Array.from({ length: 100 }, (_, n) => `"k":"${n}"`).join(',')), 200],
  [
    'too many members',
    withMetadata(Array.from({ length: bounds.jsonMembersMax + 1 }, (_, n) => `"k${n}":"v"`).join(',')),
    400,
    'invalid_json',
  ],
  ['too many arrays', `{${file},"metadata":[${'[],'.repeat(bounds.jsonContainersMax)}[]]}`, 400, 'invalid_json'],
  ['half a character as an escape', withMetadata(String.raw`"a":"\ud83d"`), 200],
  ['a number above all numbers', `{"requests":[${request}],"eyrie":{"priority":1e999}}`, 400, 'invalid_type'],
  [
    'a number of 10,000 digits',
    `{"requests":[${request}],"eyrie":{"priority":${'9'.repeat(10_000)}}}`,
    400,
    'invalid_type',
  ],
  ['minus zero', `{"requests":[${request}],"eyrie":{"priority":-0}}`, 200],
  ['an exponent for an integer', `{"requests":[${request}],"eyrie":{"priority":1e1}}`, 200],
];

test('62 bodies, each with its answer; the server goes on', { timeout: 300_000 }, async () => {
  const { call } = await listening({ requestsPerMinute: null });
  const headers = { 'content-type': 'application/json' };
  expect(cases).toHaveLength(62);
  for (const [what, body, status, code] of cases) {
    const response = await call('/v1/batches', { method: 'POST', headers, body: body as string });
    expect(response.status, what).toBe(status);
    if (code === undefined) await response.arrayBuffer();
    else {
      const error = await errorOf(response);
      expect(error.code, what).toBe(code);
      expect(JSON.stringify(error).length, what).toBeLessThan(2000);
    }
  }
  expect((await call('/v1/batches')).status).toBe(200);
  expect(Object.getPrototypeOf({})).toBe(Object.prototype);
});

test('a refusal for its members names the bound, and is counted by it', async () => {
  const { call, world } = await listening();
  const body = withMetadata(Array.from({ length: bounds.jsonMembersMax + 1 }, (_, n) => `"k${n}":"v"`).join(','));
  const response = await call('/v1/batches', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  expect((await errorOf(response)).message).toContain(`more than ${bounds.jsonMembersMax} named members`);
  expect(world.refusals.counts().get('jsonMembersMax')).toBe(1);
});
