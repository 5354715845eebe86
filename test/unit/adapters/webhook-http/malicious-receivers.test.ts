import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { HttpWebhookSender } from '../../../../src/adapters/webhook-http/http-webhook-sender.js';
import { FixedNames } from '../../../support/fixed-names.js';
import { eventually } from '../../../support/eventually.js';
import { loopbackServer } from '../../../support/loopback-server.js';

const timeoutMs = 1500;
const sender = new HttpWebhookSender({
  allowPrivate: true,
  names: new FixedNames('127.0.0.1'),
  userAgent: 'Eyrie/1.2.3',
});

/** Sends a piece again and again, as fast as the other side reads or every so many ms. */
function flood(socket: Socket, piece: string | Buffer, everyMs = 0): void {
  const timer = everyMs > 0 ? setInterval(() => socket.write(piece), everyMs) : undefined;
  const fill = (): void => {
    while (!socket.destroyed && socket.write(piece));
    if (!socket.destroyed) socket.once('drain', fill);
  };
  if (everyMs === 0) fill();
  socket.once('close', () => clearInterval(timer));
}

const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;

const answerAnd = (socket: Socket, piece: string): void => {
  socket.write(head);
  flood(socket, piece);
};

/** What each receiver does with a connection, and what comes of the post. */
const receivers: readonly (readonly [string, (socket: Socket) => void, object])[] = [
  ['accepts and says nothing', () => undefined, { status: null, error: 'timeout' }],
  ['sends a body without end', (socket) => flood(socket.setMaxListeners(0), chunk), { error: 'answer not understood' }],
  ['sends a chunked body without end', (socket) => answerAnd(socket, chunk), { status: 200 }],
  [
    'sends a byte of the body a second',
    (socket) => {
      socket.write(head);
      flood(socket, '1\r\nx\r\n', 1000);
    },
    { status: 200 },
  ],
  [
    'sends a byte of the headers now and then',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\na: ');
      flood(socket, 'x', 100);
    },
    { status: null, error: 'timeout' },
  ],
  [
    'sends 200,000 headers',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      flood(socket, 'a: b\r\n'.repeat(1000));
    },
    { status: null, error: 'answer not understood' },
  ],
  [
    'sends 100 Continue for ever',
    (socket) => flood(socket, 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
    { status: null },
  ],
  [
    'sends 102 Processing now and then',
    (socket) => flood(socket, 'HTTP/1.1 102 Processing\r\n\r\n', 100),
    { status: null, error: 'timeout' },
  ],
  [
    'switches protocols',
    (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    { status: null },
  ],
  [
    'sends a huge Retry-After',
    (socket) => socket.write('HTTP/1.1 503 No\r\nretry-after: 999999999999999999999\r\ncontent-length: 0\r\n\r\n'),
    { status: 503, retryAfterMs: null },
  ],
  ['is gone', (socket) => socket.write('HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n'), { status: 410 }],
  [
    'promises a body that does not come',
    (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99999999\r\n\r\n'),
    { status: 200 },
  ],
];

test.each(receivers)(
  'a receiver that %s is left within the timeout, and its connection ends',
  async (_what, act, outcome) => {
    const sockets = new Set<Socket>();
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
    const port = await loopbackServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
      socket.once('data', () => act(socket));
      socket.resume();
    });
    const memory = process.memoryUsage().rss;
    const started = performance.now();
    const answer = await sender.post({
      tenant: 'acme',
      url: `http://receiver.test:${port}/`,
      headers: {},
      body: '{}',
      timeoutMs,
    });
    // The deadline, and what a busy machine adds.
    expect(performance.now() - started).toBeLessThan(timeoutMs + 5000);
    expect(answer).toMatchObject(outcome);
    await eventually('the connection to end', () => sockets.size === 0);
    expect(process.memoryUsage().rss - memory).toBeLessThan(64 * 1024 * 1024);
  },
);
