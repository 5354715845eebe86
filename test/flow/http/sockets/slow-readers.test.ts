import { bounds } from '../../../../src/domain/bounds.js';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { toFile } from 'openai';
import { eventually } from '../../../support/eventually.js';
import { apiShares } from '../../../../src/http/shares.js';
import { fakeWorld, keyA, keyB } from '../fake-world.js';
import { listening, type Listening } from '../listening.js';

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** More than the buffers of a connection hold. */
const bytes = 12_000_000;

async function withFile(options: Parameters<typeof listening>[0] = {}): Promise<{ server: Listening; id: string }> {
  const server = await listening(options);
  const { id } = await server.client.files.create({ file: await toFile(Buffer.alloc(bytes), 'a'), purpose: 'batch' });
  return { server, id };
}

/** Asks, and reads nothing until told to. */
function unread({ port }: Listening, ...requests: readonly string[]): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.pause();
  for (const path of requests) socket.write(`GET ${path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${keyA}\r\n\r\n`);
  open.push(socket);
  return socket;
}

const slowReaders = ({ world }: Listening): number => world.refusals.counts().get('readerBytesPerSecondMin') ?? 0;

test('a download that nobody reads is cut, and its place is free again', async () => {
  const { server, id } = await withFile({
    connections: { readerRate: { bytesPerSecondMin: 1000, graceMs: 300 }, lingerMs: 100 },
  });
  for (let i = 0; i < 5; i++) unread(server, `/v1/files/${id}/content`);
  await eventually('all were cut', () => slowReaders(server) === 5);
  await eventually('the answers ended', () => server.world.log.of('http.request').length >= 1);
  const again = await server.client.files.content(id);
  expect((await again.arrayBuffer()).byteLength).toBe(bytes);
});

test('a reader above the rate is not cut, however slow it is otherwise', async () => {
  // Buffers of the system are given away in large steps, so the window is long enough for one.
  const { server, id } = await withFile({
    connections: { readerRate: { bytesPerSecondMin: 1000, graceMs: 4000 }, lingerMs: 100 },
  });
  const socket = unread(server, `/v1/files/${id}/content`);
  let got = 0;
  const timer = setInterval(() => {
    for (let n = 0; n < 150_000;) {
      const chunk = socket.read() as Buffer | null;
      if (!chunk) break;
      n += chunk.length;
      got += chunk.length;
    }
  }, 20);
  await eventually('it has all', () => got >= bytes || socket.destroyed, 40_000);
  clearInterval(timer);
  expect(got).toBeGreaterThanOrEqual(bytes);
  expect(slowReaders(server)).toBe(0);
});

test('one tenant has so many downloads at once; others and other calls go on, and HEAD takes no place', async () => {
  const shares = apiShares(fakeWorld());
  const { server, id } = await withFile({ shares });
  const other = await server.other.files.create({ file: await toFile(Buffer.alloc(1000), 'b'), purpose: 'batch' });
  const path = `/v1/files/${id}/content`;
  for (let i = 0; i < 32; i++) unread(server, path);
  const running = (): number => server.world.store.calls.filter(({ operation }) => operation === 'getStream').length;
  await eventually('they run', () => running() === 32);
  const waiting = Array.from({ length: 64 }, () => unread(server, path));
  await eventually('those wait', () => shares.downloads.state().waiting === 64);
  const refused = await server.call(path);
  expect(await refused.json()).toMatchObject({
    error: { code: 'rate_limit_exceeded', message: expect.stringContaining('32 downloads') },
  });
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect(running()).toBe(32);
  expect((await server.call(path, { method: 'HEAD' })).status).toBe(200);
  expect((await server.client.files.retrieve(id)).bytes).toBe(bytes);
  const theirs = await fetch(`${server.url}/v1/files/${other.id}/content`, {
    headers: { authorization: `Bearer ${keyB}` },
  });
  expect((await theirs.arrayBuffer()).byteLength).toBe(1000);
  for (const socket of [...waiting, ...open]) socket.destroy();
  await eventually('the places are free', () => shares.downloads.state().active === 0);
  expect(shares.downloads.state().waiting).toBe(0);
});

test('answers behind an unread one on the same connection end with it', async () => {
  const shares = apiShares(fakeWorld());
  const { server, id } = await withFile({ shares });
  const path = `/v1/files/${id}/content`;
  // Two of a connection are made at once, and the second has no connection before the first is out; the others wait.
  const socket = unread(server, ...Array.from({ length: 32 }, () => path));
  const running = (): number => server.world.store.calls.filter(({ operation }) => operation === 'getStream').length;
  await eventually('they run', () => running() === bounds.pipelinedAtOnce);
  expect(shares.downloads.state().active).toBe(bounds.pipelinedAtOnce);
  socket.destroy();
  await eventually('the places are free', () => shares.downloads.state().active === 0);
  expect(running()).toBe(bounds.pipelinedAtOnce);
});
