import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createServer, type ServerOptions } from '../../../../src/http/server.js';
import { eventually } from '../../../support/eventually.js';
import { fakeWorld } from '../fake-world.js';
import { RawSocket } from '../raw-socket.js';

const open: Socket[] = [];
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  for (const close of closers.splice(0)) await close();
});

async function start(options: ServerOptions) {
  const world = fakeWorld();
  const server = createServer(world, options);
  await server.listen({ host: '127.0.0.1', port: 0 });
  closers.push(async () => {
    server.server.closeAllConnections();
    await server.close();
  });
  const { port } = server.server.address() as AddressInfo;
  const connections = (): Promise<number> =>
    new Promise((resolve) => {
      server.server.getConnections((_, count) => resolve(count));
    });
  return { world, port, connections };
}

/** A client that never closes its side. */
function stubborn(port: number, bytes: string): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.resume();
  socket.write(bytes);
  open.push(socket);
  return socket;
}

test.each([
  ['headers that never end', 'GET / HTTP/1.1\r\nX-A: '],
  ['what is no HTTP', 'NOT HTTP AT ALL\r\n\r\n'],
  ['a request that closes', 'GET /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n'],
])('a client that does not close its side after %s keeps no socket of the service', async (_name, bytes) => {
  const { port, connections } = await start({ connections: { headersMs: 200, lookMs: 50, lingerMs: 100 } });
  for (let i = 0; i < 50; i++) stubborn(port, bytes);
  await eventually('they are connected', async () => (await connections()) > 0);
  await eventually('all are closed', async () => (await connections()) === 0);
});

test('connections on which nothing is asked make room for new ones, the oldest first', async () => {
  const { world, port, connections } = await start({ connections: { max: 20 } });
  const silent: Socket[] = [];
  for (let i = 0; i < 20; i++) {
    silent.push(stubborn(port, ''));
    await eventually('it is taken', async () => (await connections()) === i + 1);
  }
  const raw = new RawSocket(port);
  await raw.send('GET /health HTTP/1.1\r\nHost: t\r\n\r\n');
  expect((await raw.answer()).status).toBe(200);
  await eventually('the oldest is closed', () => silent[0]?.destroyed === true || silent[0]?.readableEnded === true);
  expect(silent.filter(({ readableEnded, destroyed }) => !readableEnded && !destroyed).length).toBe(19);
  expect(world.refusals.counts().get('connectionsMax')).toBe(1);
  raw.destroy();
});

test('where every connection is in use, a new one is told so', async () => {
  const { world, port, connections } = await start({ connections: { max: 3 } });
  // Unread answers keep connections in use: the store does not answer.
  world.store.fault = () => ({ delayMs: 1_000_000 });
  for (let i = 0; i < 3; i++)
    stubborn(port, 'GET /v1/files HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ey_a_secret\r\n\r\n');
  await eventually('they are in use', async () => (await connections()) === 3 && world.store.calls.length > 0);
  const raw = new RawSocket(port);
  const answer = await raw.answer();
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'service_unavailable' } });
  await raw.end();
});

test(
  'thousands of connections with a request each, and thousands of requests on one',
  { timeout: 60_000 },
  async () => {
    const { port } = await start({});
    const request = 'GET /health HTTP/1.1\r\nHost: t\r\n\r\n';
    const raws: RawSocket[] = [];
    for (let i = 0; i < 2000; i++) {
      const raw = new RawSocket(port);
      void raw.send(request);
      raws.push(raw);
    }
    await eventually('all were answered', () => raws.every(({ received }) => received.includes('"ok"')), 50_000);
    for (const raw of raws) raw.destroy();
    const one = new RawSocket(port);
    void one.send(request.repeat(2000));
    await eventually('all were answered', () => one.received.split('"ok"').length === 2001, 50_000);
    one.destroy();
  },
);
