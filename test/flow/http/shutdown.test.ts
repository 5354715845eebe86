import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createServer } from '../../../src/http/server.js';
import { eventually } from '../../support/eventually.js';
import { fakeWorld, keyA } from './fake-world.js';
import { RawSocket } from './raw-socket.js';

test('a shutdown waits for the upload that is under way and takes no new connection', async () => {
  const world = fakeWorld();
  const server = createServer(world);
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const body =
    '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n' +
    '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n0123456789\r\n--b--\r\n';
  const raw = new RawSocket(port);
  await raw.send(
    [
      'POST /v1/files HTTP/1.1',
      'Host: t',
      `Authorization: Bearer ${keyA}`,
      'Content-Type: multipart/form-data; boundary=b',
      `Content-Length: ${body.length}`,
      '',
      body.slice(0, -20),
    ].join('\r\n'),
  );
  await sleep(100); // until the request is being read
  const closed = server.close();
  await eventually('no new connection is taken', async () => {
    const late = new RawSocket(port);
    await late.end();
    return late.failed;
  });
  await raw.send(body.slice(-20));
  const answer = await raw.answer();
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ object: 'file', bytes: 10 });
  expect(answer.headers['connection']).toBe('close');
  await closed;
});

test('a connection that was opened ahead of need does not hold a shutdown up', async () => {
  const server = createServer(fakeWorld());
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const silent = new RawSocket(port);
  const connections = (): Promise<number> =>
    new Promise((resolve) => {
      server.server.getConnections((_, count) => resolve(count));
    });
  await eventually('it is open', async () => (await connections()) === 1);
  await server.close();
  await silent.end();
});
