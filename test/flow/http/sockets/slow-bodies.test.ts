import { expect, test } from 'vitest';
import { eventually } from '../../../support/eventually.js';
import { keyA } from '../fake-world.js';
import { listening } from '../listening.js';
import { RawSocket } from '../raw-socket.js';

const fast = { bodyRate: { bytesPerSecondMin: 1000, graceMs: 200 } };
const json = 'Content-Type: application/json';
const form = 'Content-Type: multipart/form-data; boundary=b';
const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';

const head = (path: string, ...lines: readonly string[]): string =>
  [`POST ${path} HTTP/1.1`, 'Host: t', `Authorization: Bearer ${keyA}`, ...lines, '', ''].join('\r\n');

const long = 'Content-Length: 1000000';
const chunked = 'Transfer-Encoding: chunked';

/** What is sent; then nothing more comes. */
const forms: readonly (readonly [name: string, bytes: string])[] = [
  ['JSON of which nothing comes', head('/v1/batches', json, long)],
  ['JSON of which most came at once', head('/v1/batches', json, long) + ' '.repeat(999_000)],
  ['JSON in chunks without an end', `${head('/v1/batches', json, chunked)}5\r\n{"a":\r\n`],
  ['JSON in a chunk that is not filled', `${head('/v1/batches', json, chunked)}ffff\r\n{"a":`],
  ['JSON after 100-continue', head('/v1/batches', json, long, 'Expect: 100-continue')],
  ['a form of which nothing comes', head('/v1/files', form, long)],
  ['a form that stops in its file', `${head('/v1/files', form, long)}${file}${'x'.repeat(200_000)}`],
  ['a form that stops behind its file', `${head('/v1/files', form, long)}${file}x\r\n--b--\r\n`],
];

test.each(forms)('%s is answered with 408, and the connection is closed', async (_name, bytes) => {
  const server = await listening(fast);
  const raw = new RawSocket(server.port);
  await raw.send(bytes);
  await raw.end();
  const text = raw.received.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text.toLowerCase()).toContain('connection: close');
  expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({ error: { code: 'request_timeout' } });
  expect(raw.failed).toBe(false);
  // The upload was ended as well, and nothing of it is left.
  await eventually('nothing is left', () => server.world.store.keys().length === 0);
});

test('a body that trickles below the rate is cut, one above it is not', async () => {
  const server = await listening(fast);
  const body = JSON.stringify({ input_file_id: 'file-x', endpoint: '/v1/completions', completion_window: '24h' });
  const total = 30_000;
  const raws = [4, 600].map((step) => {
    const raw = new RawSocket(server.port);
    const bytes = head('/v1/batches', json, `Content-Length: ${total}`) + body.padEnd(total);
    let at = 0;
    const timer = setInterval(() => {
      if (raw.closed || at >= bytes.length) clearInterval(timer);
      else raw.socket.write(bytes.slice(at, (at += step)));
    }, 20);
    return raw;
  });
  const [slow, honest] = await Promise.all(raws.map((raw) => raw.answer()));
  expect(slow?.status).toBe(408);
  expect(honest?.status).toBe(200);
  for (const raw of raws) raw.destroy();
});

test.each([
  ['of a byte each', 'a', ''],
  ['of which each has a long extension', 'abcdefghabcdefgh', `;x=${'y'.repeat(600)}`],
])('a body in chunks %s is refused before it is read to its end', async (_name, content, extension) => {
  const server = await listening();
  const raw = new RawSocket(server.port);
  const chunk = `${content.length.toString(16)}${extension}\r\n${content}\r\n`;
  await raw.send(head('/v1/batches', json, chunked) + chunk.repeat(2000));
  const answer = await raw.answer();
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({
    error: { message: expect.stringContaining('small chunks') as string },
  });
  await raw.end();
});

test('a body in many chunks of the size of a line is taken', async () => {
  const server = await listening();
  const raw = new RawSocket(server.port);
  const blank = `20\r\n${' '.repeat(32)}\r\n`;
  await raw.send(`${head('/v1/batches', json, chunked)}${blank.repeat(10_000)}2\r\n{}\r\n0\r\n\r\n`);
  const answer = await raw.answer();
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'missing_required_parameter' } });
  raw.destroy();
});

test('the rest of a body that was answered early is held to the rate too', async () => {
  const server = await listening(fast);
  const raw = new RawSocket(server.port);
  await raw.send(head('/v1/batches', json, 'Content-Length: 100000000') + ' '.repeat(100_000));
  expect((await raw.answer()).status).toBe(413);
  await raw.end();
});

test('headers that do not end are answered with 408, a silent connection too', async () => {
  const server = await listening({ connections: { headersMs: 200, lookMs: 50, lingerMs: 100 } });
  for (const bytes of ['', 'GET /health HTTP/1.1\r\nHost: t\r\nX-A: ']) {
    const raw = new RawSocket(server.port);
    if (bytes) await raw.send(bytes);
    expect((await raw.answer()).status).toBe(408);
    await raw.end();
  }
});
