import { expect, test } from 'vitest';
import { errorOf, listening } from './listening.js';

const json = { 'content-type': 'application/json' };

test('an empty body with a JSON content type is no body', async () => {
  const { call } = await listening();
  const headers = { ...json, 'content-length': '0' };
  const cancel = await call('/v1/batches/batch_01/cancel', { method: 'POST', headers });
  expect(cancel.status).toBe(404);
  const deleted = await call('/v1/files/file-01', { method: 'DELETE', headers: json });
  expect(deleted.status).toBe(404);
  const create = await call('/v1/batches', { method: 'POST', headers });
  expect(await errorOf(create)).toMatchObject({ code: 'missing_required_parameter' });
});

test.each([
  ['{', 'invalid_json'],
  ['{"a":1,}', 'invalid_json'],
  [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'invalid_json'],
  ['['.repeat(100_000), 'invalid_json'],
  [`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`, 'invalid_json'],
  ['[1]', 'invalid_type'],
  ['null', 'invalid_type'],
  ['"text"', 'invalid_type'],
])('the body %s is refused', async (body, code) => {
  const { call } = await listening();
  const response = await call('/v1/batches', { method: 'POST', headers: json, body: body as string });
  expect(response.status).toBe(400);
  expect((await errorOf(response)).code).toBe(code);
});

test('a large body is refused, with and without a length', async () => {
  const { call } = await listening();
  const large = Buffer.alloc(2_000_000, ' ');
  const known = await call('/v1/uploads', { method: 'POST', headers: json, body: large });
  expect(known.status).toBe(413);
  const stream = new Blob([large]).stream();
  const chunked = await call('/v1/uploads', {
    method: 'POST',
    headers: json,
    body: stream,
    duplex: 'half',
  });
  expect(chunked.status).toBe(413);
  expect((await errorOf(chunked)).code).toBe('body_too_large');
});

test('other content types and compressed bodies are refused', async () => {
  const { call } = await listening();
  for (const headers of [
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'text/plain' },
    { ...json, 'content-encoding': 'gzip' },
  ]) {
    const response = await call('/v1/batches', { method: 'POST', headers, body: '{}' });
    expect(response.status).toBe(415);
    expect((await errorOf(response)).code).toBe('unsupported_media_type');
  }
});

test('prototype pollution in bodies and queries changes nothing', async () => {
  const { call } = await listening();
  const bodies = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"input_file_id":"file-01","endpoint":"/v1/completions","completion_window":"24h","metadata":{"__proto__":{"polluted":"1"}}}',
    '{"input_file_id":"file-01","endpoint":"/v1/completions","completion_window":"24h","metadata":{"__proto__":"x","constructor":"y"}}',
  ];
  for (const body of bodies) {
    const response = await call('/v1/batches', { method: 'POST', headers: json, body });
    expect([200, 400]).toContain(response.status);
    const text = await response.text();
    expect(text).not.toContain('polluted');
  }
  expect((await call('/v1/files?__proto__=x')).status).toBe(400);
  expect((await call('/v1/files?constructor=x')).status).toBe(400);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(Object.getPrototypeOf({})).toBe(Object.prototype);
});
