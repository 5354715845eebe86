import { type OpenAI, BadRequestError, NotFoundError } from 'openai';
import { expect, test } from 'vitest';
import { EyrieError } from '../../../src/domain/errors.js';
import { eventually } from '../../support/eventually.js';
import { keyA } from './fake-world.js';
import { errorOf, listening } from './listening.js';
import { RawSocket } from './raw-socket.js';

test('missing, malformed and unknown keys get the same answer', async () => {
  const { url } = await listening();
  const bodies: string[] = [];
  for (const authorization of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Basic eDp5',
    'Bearer ey_x',
    `Bearer ${'k'.repeat(9000)}`,
  ]) {
    const response = await fetch(`${url}/v1/models`, authorization === undefined ? {} : { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    bodies.push(await response.text());
  }
  expect(new Set(bodies).size).toBe(1);
  expect(bodies[0]).toContain('invalid_api_key');
});

test('keys appear in no log line', async () => {
  const { call, url, world } = await listening();
  await call('/v1/models');
  await fetch(`${url}/v1/models`, { headers: { authorization: 'Bearer ey_wrong_key' } });
  await eventually('both are logged', () => world.log.of('http.request').length === 2);
  const log = JSON.stringify(world.log.entries);
  expect(log).not.toContain(keyA);
  expect(log).not.toContain('ey_wrong_key');
});

test('every answer carries a request id of ours', async () => {
  const { call, url } = await listening();
  for (const response of [
    await call('/v1/models', { headers: { 'x-request-id': 'forged' } }),
    await call('/nowhere'),
    await call('/v1/%zz'),
    await call('/v1/models', { method: 'POST' }),
    await fetch(`${url}/v1/models`),
  ])
    expect(response.headers.get('x-request-id')).toMatch(/^req_\d{8}$/);
});

test.each([
  ['/nowhere', 'GET', 404, 'not_found'],
  ['/v1/nowhere?x=1', 'POST', 404, 'not_found'],
  ['/v1/files', 'PUT', 405, 'method_not_allowed'],
  ['/v1/files/file-01', 'PATCH', 405, 'method_not_allowed'],
  ['/v1/batches/batch_01/cancel', 'GET', 405, 'method_not_allowed'],
  ['/health', 'DELETE', 405, 'method_not_allowed'],
  ['/v1/%zz', 'GET', 400, 'invalid_value'],
  [`/v1/files/${'a'.repeat(300)}`, 'GET', 404, 'not_found'],
])('%s by %s is answered %i', async (path, method, status, code) => {
  const { call } = await listening();
  const response = await call(path, { method });
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({
    error: { message: expect.any(String), type: 'invalid_request_error', param: null, code },
  });
  if (status === 405) expect(response.headers.get('allow')).toBeTruthy();
});

test.each([
  '..%2f..%2fsubmit.json',
  '%2e%2e%2f',
  '..%5c',
  'file-%00',
  'file-a%0d%0aX-Evil:1',
  'file-../x',
  'batch_ü',
  'FILE-A',
  'file-',
  'file-a.b',
])('the id %s reaches no object of the store', async (id) => {
  const { call, world } = await listening();
  for (const [path, method] of [
    [`/v1/files/${id}`, 'GET'],
    [`/v1/files/${id}/content`, 'GET'],
    [`/v1/files/${id}`, 'DELETE'],
    [`/v1/batches/${id}`, 'GET'],
    [`/v1/batches/${id}/cancel`, 'POST'],
    [`/v1/files?after=${id}`, 'GET'],
    [`/v1/batches?after=${id}`, 'GET'],
  ] as const) {
    const response = await call(path, { method });
    expect([400, 404], `${method} ${path}`).toContain(response.status);
    expect(response.headers.get('x-evil')).toBeNull();
  }
  expect(world.store.calls).toEqual([]);
});

test('a failing store is a 503 that tells when to come back and nothing else', async () => {
  const { call, world } = await listening();
  const error = new EyrieError('store_unavailable', 'connect ECONNREFUSED 10.0.0.7:9000 secret-bucket');
  world.store.fault = () => ({ fail: 'before', error });
  const response = await call('/v1/files');
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('5');
  const text = await response.text();
  expect(text).toContain('store_unavailable');
  expect(text).not.toMatch(/10\.0\.0\.7|secret-bucket/);
  expect(world.log.of('http.failed')).toMatchObject([{ level: 'error', cause: error }]);
});

test('an unexpected error is a 500 with its request id', async () => {
  const { call, world } = await listening();
  world.store.list = () => Promise.reject(new TypeError('boom at /srv/secret'));
  const response = await call('/v1/files');
  expect(response.status).toBe(500);
  const { code, message } = await errorOf(response);
  expect(code).toBe('internal_error');
  expect(message).toContain(response.headers.get('x-request-id'));
  expect(message).not.toContain('secret');
});

test('the official client raises its own error classes', async () => {
  const { client } = await listening();
  const options = { maxRetries: 0 };
  await expect(client.files.retrieve('file-01', options)).rejects.toBeInstanceOf(NotFoundError);
  await expect(client.models.retrieve('gpt', options)).rejects.toBeInstanceOf(NotFoundError);
  await expect(client.batches.create({} as OpenAI.BatchCreateParams, options)).rejects.toBeInstanceOf(BadRequestError);
});

test.each([
  [
    'conflicting lengths',
    'POST /v1/batches HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    400,
  ],
  ['no HTTP', 'HELLO\r\n\r\n', 400],
  ['a bad header', 'GET / HTTP/1.1\r\nHost: t\r\nBad Header: x\r\n\r\n', 400],
  ['a huge header', `GET /health HTTP/1.1\r\nHost: t\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ['a bad chunk', 'POST /v1/batches HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
])('%s is answered in the shape of every error', async (_name, bytes, status) => {
  const { port, url } = await listening();
  const raw = new RawSocket(port);
  await raw.send(bytes);
  const answer = await raw.answer();
  // A bad chunk may be noticed behind the check of the key.
  expect([status, 401]).toContain(answer.status);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { type: 'invalid_request_error', code: expect.any(String) } });
  expect(answer.headers['x-request-id']).toMatch(/^req_/);
  raw.destroy();
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

test('connections stay open longer than proxies keep theirs', async () => {
  const { call } = await listening();
  const response = await call('/v1/models');
  expect(response.headers.get('keep-alive')).toBe('timeout=75');
});
