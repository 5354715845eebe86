import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack, Attacker } from './attack.js';

const endpoints = 50;

/** A server of the attacker on a loopback port; gives the port. */
async function receiver(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function makeEndpoints(attacker: Attacker, url: (at: number) => string): Promise<void> {
  await Promise.all(
    Array.from({ length: endpoints }, (_, at) =>
      attacker.call('POST', '/v1/webhook_endpoints', { url: url(at), events: ['batch.completed', 'batch.progress'] }),
    ),
  );
}

/** Endpoints, then six batches at a time, and test events where `tests` says so. */
const deaf = (
  name: string,
  needs: Attack['needs'],
  url: (attacker: Attacker) => Promise<(at: number) => string>,
  tests = false,
): Attack => ({
  name,
  ...(needs ? { needs } : {}),
  prepare: async (attacker, signal) => {
    await makeEndpoints(attacker, await url(attacker));
    const { text } = await attacker.client.call('GET', '/v1/webhook_endpoints?limit=100');
    const ids = (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
    if (ids.length === 0) attacker.violate('no endpoint could be made');
    return () =>
      attacker.lanes(tests ? 60 : 6, signal, async (lane, round) => {
        if (tests && lane >= 6) {
          const id = ids[(lane + round * 7) % ids.length];
          await attacker.call('POST', `/v1/webhook_endpoints/${id}/test`, undefined, { signal });
          return;
        }
        const id = await attacker.batch([attacker.request(lane * 1e6 + round)], signal);
        if (id !== null) await attacker.ended(id, signal);
        await sleep(200);
      });
  },
});

const hanging = async (): Promise<(at: number) => string> => {
  const port = await receiver((socket) => {
    socket.resume();
  });
  return (at) => `http://127.0.0.1:${port}/hang/${at}`;
};

/** A byte a second: of the headers, or of a body. */
const dribbling = async (): Promise<(at: number) => string> => {
  let accepted = 0;
  const port = await receiver((socket) => {
    socket.resume();
    const text =
      accepted++ % 2 === 0
        ? `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(500)}`
        : 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    socket.write(text.slice(0, -20));
    const timer = setInterval(() => socket.write('1'), 1000);
    socket.once('close', () => clearInterval(timer));
  });
  return (at) => `http://127.0.0.1:${port}/dribble/${at}`;
};

/** Names whose server takes each question and answers none. */
const silentNames = async (attacker: Attacker): Promise<(at: number) => string> => {
  const server = createSocket('udp4');
  server.on('message', () => attacker.count('question'));
  server.bind(53, attacker.target.nameServer);
  await once(server, 'listening');
  return (at) => `http://slow${at}.evil.test:8080/`;
};

export const receiverAttacks: readonly Attack[] = [
  deaf('50 endpoints whose names are not answered', 'names', silentNames),
  deaf('50 endpoints that hang', undefined, hanging),
  deaf('50 endpoints that answer a byte a second', undefined, dribbling),
  deaf('50 endpoints that hang, and test events', undefined, hanging, true),
  {
    name: 'endpoints made, turned and deleted',
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.lanes(16, signal, async () => {
          const { status, text } = await attacker.client.call(
            'POST',
            '/v1/webhook_endpoints',
            { url: 'http://127.0.0.1:9/' },
            { signal },
          );
          attacker.count(String(status));
          if (status !== 200) return;
          const path = `/v1/webhook_endpoints/${(JSON.parse(text) as { id: string }).id}`;
          await attacker.call('POST', `${path}/rotate_secret`, undefined, { signal });
          await attacker.call('POST', path, { enabled: false }, { signal });
          await attacker.call('GET', `${path}/deliveries`, undefined, { signal });
          await attacker.call('DELETE', path, undefined, { signal });
        }),
      ),
  },
];
