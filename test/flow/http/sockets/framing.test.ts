import { expect, test } from 'vitest';
import { keyA } from '../fake-world.js';
import { listening, type Listening } from '../listening.js';
import { RawSocket } from '../raw-socket.js';

const crlf = (...lines: readonly string[]): string => lines.join('\r\n');
/** Stands behind what is tried: it must never be taken for a request of its own. */
const hidden = crlf('GET /v1/hidden HTTP/1.1', 'Host: t', '', '');
const post = (...lines: readonly string[]): string =>
  crlf('POST /v1/batches HTTP/1.1', 'Host: t', `Authorization: Bearer ${keyA}`, ...lines, '', '');

async function send(server: Listening, bytes: string): Promise<RawSocket> {
  const raw = new RawSocket(server.port);
  await raw.send(Buffer.from(bytes, 'latin1'));
  raw.socket.end();
  await raw.end();
  return raw;
}

const sawHidden = ({ world }: Listening): boolean =>
  world.log.of('http.request').some(({ fields }) => fields['route'] === null && fields['status'] === 404);

/** Each is one request of which two readings exist, or none. */
const doubtful: readonly (readonly [name: string, bytes: string])[] = [
  ['a length and chunks', post('Content-Length: 5', 'Transfer-Encoding: chunked') + `0\r\n\r\n${hidden}`],
  ['chunks and a length', post('Transfer-Encoding: chunked', 'Content-Length: 5') + `0\r\n\r\n${hidden}`],
  ['two lengths', post('Content-Length: 5', 'Content-Length: 6') + `{"a":${hidden}`],
  ['a list of lengths', post('Content-Length: 5, 5') + `{"a":${hidden}`],
  ['a negative length', post('Content-Length: -1') + hidden],
  ['a length with a sign', post('Content-Length: +5') + `{"a":${hidden}`],
  ['a length in hex', post('Content-Length: 0x5') + `{"a":${hidden}`],
  ['a length with a fraction', post('Content-Length: 5.0') + `{"a":${hidden}`],
  ['an empty length', post('Content-Length:') + hidden],
  ['a length beyond all numbers', post('Content-Length: 99999999999999999999') + hidden],
  ['a length with a blank in it', post('Content-Length: 5 5') + `{"a":${hidden}`],
  ['an encoding that nobody knows', post('Transfer-Encoding: x') + hidden],
  ['chunked and then another', post('Transfer-Encoding: chunked, x') + `0\r\n\r\n${hidden}`],
  ['chunked in quotes', post('Transfer-Encoding: "chunked"') + `0\r\n\r\n${hidden}`],
  ['two encodings', post('Transfer-Encoding: chunked', 'Transfer-Encoding: x') + `0\r\n\r\n${hidden}`],
  ['a blank before the colon', post('Transfer-Encoding : chunked') + `0\r\n\r\n${hidden}`],
  ['a vertical tab before the encoding', post('Transfer-Encoding: \x0bchunked') + `0\r\n\r\n${hidden}`],
  ['a chunk with a sign', post('Transfer-Encoding: chunked') + `-1\r\n\r\n${hidden}`],
  ['a chunk with a prefix', post('Transfer-Encoding: chunked') + `0x0\r\n\r\n${hidden}`],
  ['a chunk beyond all numbers', post('Transfer-Encoding: chunked') + `ffffffffffffffffff\r\n${hidden}`],
  ['a chunk without a size', post('Transfer-Encoding: chunked') + `\r\n\r\n${hidden}`],
  ['a chunk that is longer than it says', post('Transfer-Encoding: chunked') + `1\r\nabc\r\n0\r\n\r\n${hidden}`],
  ['a chunk that ends with LF alone', post('Transfer-Encoding: chunked') + `1\na\n0\n\n${hidden}`],
  ['a line that ends with CR alone', `GET /health HTTP/1.1\rHost: t\r\r${hidden}`],
  ['a NUL in a value', crlf('GET /health HTTP/1.1', 'Host: t', 'X-A: a\0b', '', '') + hidden],
  ['a NUL in a name', crlf('GET /health HTTP/1.1', 'Host: t', 'X\0A: b', '', '') + hidden],
  ['a CR in a value', crlf('GET /health HTTP/1.1', 'Host: t', 'X-A: a\rb', '', '') + hidden],
  ['a header that goes on in the next line', crlf('GET /health HTTP/1.1', 'Host: t', ' folded: x', '', '')],
  ['a header without a colon', crlf('GET /health HTTP/1.1', 'Host: t', 'what is this', '', '') + hidden],
  ['a header without a name', crlf('GET /health HTTP/1.1', 'Host: t', ': x', '', '') + hidden],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a version that nobody knows', crlf('GET /health HTTP/9.9', 'Host: t', '', '')],
  ['a version without a number', crlf('GET /health HTTP/x', 'Host: t', '', '')],
  ['HTTP/0.9', 'GET /health\r\n\r\n'],
  ['a method in small letters', crlf('get /health HTTP/1.1', 'Host: t', '', '')],
  ['a method that nobody knows', crlf('XYZZY /health HTTP/1.1', 'Host: t', '', '')],
  ['no method', crlf(' /health HTTP/1.1', 'Host: t', '', '')],
  ['two blanks before the version', crlf('GET /health x HTTP/1.1', 'Host: t', '', '')],
  ['a length with an exponent', post('Content-Length: 5e0') + `{"a":${hidden}`],
  ['a length with a semicolon', post('Content-Length: 5;') + `{"a":${hidden}`],
  ['a length in quotes', post('Content-Length: "5"') + `{"a":${hidden}`],
  [
    'a length and an encoding that means nothing',
    post('Content-Length: 5', 'Transfer-Encoding: identity') + `{"a":${hidden}`,
  ],
  ['two encodings in one line', post('Transfer-Encoding: chunked, identity') + `0\r\n\r\n${hidden}`],
  ['a chunk whose content has no end', post('Transfer-Encoding: chunked') + `1\r\naX\r\n0\r\n\r\n${hidden}`],
  ['a chunk with a NUL behind its size', post('Transfer-Encoding: chunked') + `1;\0\r\na\r\n0\r\n\r\n${hidden}`],
  ['a NUL in the path', crlf('GET /hea\0lth HTTP/1.1', 'Host: t', '', '') + hidden],
  ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(100, '\0')],
];

test('there are as many as were tried', () => expect(doubtful).toHaveLength(47));

test.each(doubtful)('%s is refused and the connection closed', async (_name, bytes) => {
  const server = await listening();
  const raw = await send(server, bytes);
  expect(raw.received.match(/HTTP\/1\.1 \d{3}/g) ?? []).toHaveLength(1);
  expect(raw.received).toMatch(/^HTTP\/1\.1 4\d\d /);
  expect(raw.received).toContain('"error"');
  expect(sawHidden(server)).toBe(false);
});

test('requests that follow each other are answered in their order', async () => {
  const server = await listening();
  const one = crlf('GET /health HTTP/1.1', 'Host: t', '', '');
  const other = crlf('GET /nowhere HTTP/1.1', 'Host: t', '', '');
  const raw = new RawSocket(server.port);
  await raw.send(one + other + crlf('GET /health HTTP/1.1', 'Host: t', 'Connection: close', '', ''));
  await raw.end();
  expect(raw.received.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
});

test('an expectation that nobody knows, and a request without a host, are answered in the usual form', async () => {
  const server = await listening();
  const strange = await send(server, post('Expect: 200-maybe', 'Content-Length: 0', 'Connection: close'));
  expect(strange.received).toMatch(/^HTTP\/1\.1 417 /);
  expect(strange.received).toContain('"code":"expectation_failed"');
  const bare = await send(server, crlf('GET /health HTTP/1.1', 'Connection: close', '', ''));
  expect(bare.received).toMatch(/^HTTP\/1\.1 400 /);
  expect(bare.received).toContain('"param":"host"');
  // HTTP/1.0 asks for none.
  expect((await send(server, crlf('GET /health HTTP/1.0', '', ''))).received).toMatch(/^HTTP\/1\.1 200 /);
});

test('a client that waits for 100-continue is told to go on', async () => {
  const server = await listening();
  const raw = new RawSocket(server.port);
  const body = '{"input_file_id":"file-x","endpoint":"/v1/completions","completion_window":"24h"}';
  const json = 'Content-Type: application/json';
  await raw.send(post('Expect: 100-continue', json, `Content-Length: ${body.length}`, 'Connection: close'));
  await expect.poll(() => raw.received).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  await raw.send(body);
  await raw.end();
  expect(raw.received).toContain('HTTP/1.1 200 OK');
});

test('the API document names the version that the server was given', async () => {
  const { url } = await listening({ version: '7.8.9' });
  expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({ info: { version: '7.8.9' } });
});
