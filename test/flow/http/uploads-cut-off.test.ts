import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI, { APIError, toFile } from 'openai';
import { expect, test } from 'vitest';
import { keyA } from './fake-world.js';
import { listening, type Listening } from './listening.js';
import { eventually } from '../../support/eventually.js';
import { RawSocket } from './raw-socket.js';

const boundary = 'cut-here';
const formStart = [
  `--${boundary}`,
  'Content-Disposition: form-data; name="purpose"',
  '',
  'batch',
  `--${boundary}`,
  'Content-Disposition: form-data; name="file"; filename="in.jsonl"',
  'Content-Type: application/octet-stream',
  '',
  '',
].join('\r\n');

const head = (length: string) =>
  [
    'POST /v1/files HTTP/1.1',
    'Host: test',
    `Authorization: Bearer ${keyA}`,
    `Content-Type: multipart/form-data; boundary=${boundary}`,
    length,
    '',
    '',
  ].join('\r\n');

const contents = ({ world }: Listening): readonly string[] => world.store.keys();

/** Counts the bytes that reach the store. */
function countStored({ world }: Listening): { bytes: number } {
  const taken = { bytes: 0 };
  const putStream = world.store.putStream.bind(world.store);
  world.store.putStream = (key, source) =>
    putStream(
      key,
      (async function* () {
        for await (const chunk of source) {
          taken.bytes += chunk.length;
          yield chunk;
        }
      })(),
    );
  return taken;
}

test('an upload whose connection is cut leaves nothing behind, and the log says so', async () => {
  const server = await listening();
  const taken = countStored(server);
  const raw = new RawSocket(server.port);
  await raw.send(head('Content-Length: 1000000') + formStart + 'x'.repeat(100_000));
  await eventually('the content arrives', () => taken.bytes > 50_000);
  raw.destroy();
  await eventually('it was discarded', () => server.world.log.of('file.upload_discarded').length > 0);
  expect(contents(server)).toEqual([]);
  expect(server.world.log.of('file.upload_discarded')[0]?.fields).toMatchObject({
    tenant: 'tenant-a',
    code: 'upload_incomplete',
  });
});

test('a form that ends before its last boundary is refused and leaves nothing behind', async () => {
  const server = await listening();
  const body = formStart + 'x'.repeat(1000);
  const raw = new RawSocket(server.port);
  await raw.send(head(`Content-Length: ${body.length}`) + body);
  const answer = await raw.answer();
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'upload_incomplete' } });
  expect(contents(server)).toEqual([]);
  raw.destroy();
});

test.each(['Content-Length: 5000000', 'Transfer-Encoding: chunked'])(
  'a file over the limit (%s) is answered with 413 while it is being sent, and the rest is taken in',
  async (length) => {
    const server = await listening({ fileBytesMax: 100_000 });
    const raw = new RawSocket(server.port);
    const chunk = (text: string) =>
      length.startsWith('Transfer') ? `${text.length.toString(16)}\r\n${text}\r\n` : text;
    await raw.send(head(length) + chunk(formStart));
    for (let sent = 0; sent < 200_000; sent += 50_000) await raw.send(chunk('x'.repeat(50_000)));
    const answer = await raw.answer();
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'file_too_large', param: 'file' } });
    expect(answer.headers['connection'] ?? 'keep-alive').toBe('keep-alive');
    for (let sent = 0; sent < 2_000_000; sent += 100_000) await raw.send(chunk('x'.repeat(100_000)));
    expect(raw.closed, 'the connection stays open for the rest').toBe(false);
    expect(contents(server)).toEqual([]);
    raw.destroy();
  },
);

test('a connection answered early serves the next request once the rest is in', async () => {
  const server = await listening({ fileBytesMax: 1000 });
  const end = `\r\n--${boundary}--\r\n`;
  const body = formStart + 'x'.repeat(300_000) + end;
  const raw = new RawSocket(server.port);
  await raw.send(head(`Content-Length: ${body.length}`) + body);
  expect((await raw.answer()).status).toBe(413);
  await raw.send('GET /health HTTP/1.1\r\nHost: test\r\n\r\n');
  await eventually('the second answer came', () => raw.received.includes('"status":"ok"'));
  raw.destroy();
});

test('the official client shows a 413 for streams and for whole files', async () => {
  const { client } = await listening({ fileBytesMax: 1_000_000 });
  const chunk = Buffer.alloc(256 * 1024, 'x');
  const stream = Readable.from(
    (function* () {
      for (let n = 0; n < 32; n++) yield chunk;
    })(),
  );
  for (const file of [stream, Buffer.alloc(8_000_000, 'x')]) {
    const upload = client.files.create({ file: await toFile(file, 'in.jsonl'), purpose: 'batch' });
    const error = await upload.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 413, code: 'file_too_large' });
  }
});

test('an upload without a valid key is not stored', async () => {
  const server = await listening();
  const stranger = new OpenAI({ apiKey: 'ey_wrong', baseURL: `${server.url}/v1` });
  const upload = stranger.files.create({ file: await toFile(Buffer.alloc(3_000_000), 'a'), purpose: 'batch' });
  await expect(upload).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  expect(server.world.store.calls).toEqual([]);
});

test('a body that trickles is cut off; one that waits for the service is not', async () => {
  const server = await listening({ bodyRate: { bytesPerSecondMin: 1000, graceMs: 200 } });
  const raw = new RawSocket(server.port);
  await raw.send(`${head('Content-Length: 1000000')}${formStart}some`);
  await eventually('it was cut off', () => server.world.log.of('file.upload_discarded').length > 0);
  expect(contents(server)).toEqual([]);

  const slow = await listening({ bodyRate: { bytesPerSecondMin: 1000, graceMs: 200 } });
  const putStream = slow.world.store.putStream.bind(slow.world.store);
  slow.world.store.putStream = async (key, source) => {
    await sleep(1000); // a store that takes its time before it reads
    return putStream(key, source);
  };
  const file = await slow.client.files.create({ file: await toFile(Buffer.alloc(2_000_000), 'a'), purpose: 'batch' });
  expect(file.bytes).toBe(2_000_000);
});

test('a compressed upload and a form without a boundary are refused', async () => {
  const { call } = await listening();
  const form = new FormData();
  form.set('file', new Blob(['x']), 'a');
  const compressed = await call('/v1/files', { method: 'POST', body: form, headers: { 'content-encoding': 'gzip' } });
  expect(compressed.status).toBe(415);
  const unbounded = await call('/v1/files', {
    method: 'POST',
    body: 'x',
    headers: { 'content-type': 'multipart/form-data' },
  });
  expect(unbounded.status).toBe(415);
  expect(await unbounded.json()).toMatchObject({ error: { code: 'unsupported_media_type' } });
});
