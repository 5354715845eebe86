import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LoopTurns } from '../../../../src/http/sockets/loop-turns.js';
import { pacePipelines } from '../../../../src/http/sockets/pipelines.js';
import { eventually } from '../../../support/eventually.js';

const rules = {
  atOnce: 2,
  waitingMax: 1000,
  waitingBytesMax: 1_000_000,
  waitingInAllMax: 1500,
  waitingInAllBytesMax: 1_500_000,
  callerOf: ({ headers }: IncomingMessage): string => headers.authorization ?? '',
};

interface Seen {
  readonly server: Server;
  readonly open: () => Promise<Socket>;
  /** Paths in the order in which they were begun. */
  readonly begun: string[];
  readonly answers: ServerResponse[];
  mostAtOnce: number;
  readonly cuts: string[];
}

/** A server whose answers are given by the test, or at once. */
async function start(answerAtOnce: boolean): Promise<Seen> {
  const server = createServer((request, response) => {
    seen.begun.push(request.url ?? '');
    running++;
    seen.mostAtOnce = Math.max(seen.mostAtOnce, running);
    response.once('close', () => running--);
    if (answerAtOnce) response.end(request.url);
    else seen.answers.push(response);
  });
  let running = 0;
  const turns = new LoopTurns({ perTurn: 4, connectingMs: 4 });
  pacePipelines(server, { ...rules, turns, onCut: (bound) => seen.cuts.push(bound) });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const open = async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const seen: Seen = { server, open, begun: [], answers: [], mostAtOnce: 0, cuts: [] };
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return seen;
}

const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`;
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => undefined).once('close', () => resolve());
  });
const many = (count: number): string => Array.from({ length: count }, (_, at) => get(`/${at}`)).join('');

describe('pipelined requests', () => {
  test('a thousand in one packet are all answered, in order, two at a time', async () => {
    const seen = await start(true);
    const socket = await seen.open();
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write(many(1000));
    await eventually('the last answer', () => text.endsWith('/999'));
    expect(seen.mostAtOnce).toBe(2);
    expect(seen.begun).toEqual(Array.from({ length: 1000 }, (_, at) => `/${at}`));
    expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(1000);
  });

  test('another connection has its turn before they are done', async () => {
    const seen = await start(true);
    const [flood, other] = [await seen.open(), await seen.open()];
    flood.resume();
    flood.write(many(1000));
    await eventually('some have begun', () => seen.begun.length > 0);
    other.write(get('/other'));
    await once(other, 'data');
    expect(seen.begun.indexOf('/other')).toBeLessThan(1000);
  });

  test('a connection that sends too far ahead is closed, alone or with others', async () => {
    const seen = await start(false);
    const [far, first, second] = [await seen.open(), await seen.open(), await seen.open()];
    const farClosed = closed(far);
    far.write(many(20_000));
    await farClosed;
    expect(seen.cuts).toEqual(['waitingMax']);
    const secondClosed = closed(second);
    first.write(many(702));
    await eventually('the first is read', () => seen.begun.length === 4);
    second.write(many(902));
    await secondClosed;
    expect(seen.cuts).toEqual(['waitingMax', 'waitingInAllMax']);
    // What waited on it counts no more.
    first.resume();
    await eventually('all of the first are begun', () => {
      for (const answer of seen.answers.splice(0)) answer.end();
      return seen.begun.filter((path) => path === '/701').length === 1;
    });
  });

  test('long headers count by their bytes, and many short ones for more than their characters', async () => {
    const seen = await start(false);
    for (const headers of [`a: ${'x'.repeat(12_000)}\r\n`, 'a:\r\n'.repeat(1000)]) {
      seen.cuts.length = 0;
      const socket = await seen.open();
      const socketClosed = closed(socket);
      socket.write(get('/', headers).repeat(100));
      await socketClosed;
      expect(seen.cuts).toEqual(['waitingBytesMax']);
    }
  });

  test('when all together hold too many bytes, the connection with most of the caller with most is closed', async () => {
    const seen = await start(false);
    const headers = (caller: string): string => `authorization: ${caller}\r\na: ${'x'.repeat(10_000)}\r\n`;
    const [large, small, hers] = [await seen.open(), await seen.open(), await seen.open()];
    const largeClosed = closed(large);
    const state = { small: false, hers: false };
    void closed(small).then(() => (state.small = true));
    void closed(hers).then(() => (state.hers = true));
    // Two of each are begun, the others wait: 400, 450 and 700 KB.
    small.write(get('/small', headers('mallory')).repeat(42));
    await eventually('it is read', () => seen.begun.length === 2);
    large.write(get('/large', headers('mallory')).repeat(47));
    await eventually('it is read', () => seen.begun.length === 4);
    hers.write(get('/hers', headers('alice')).repeat(72));
    await largeClosed;
    expect(seen.cuts).toEqual(['waitingInAllBytesMax']);
    expect(state).toEqual({ small: false, hers: false });
  });

  test('what waits is dropped with its connection', async () => {
    const seen = await start(false);
    const socket = await seen.open();
    socket.write(many(5));
    await eventually('two have begun', () => seen.answers.length === 2);
    socket.destroy();
    await eventually('the server has seen it', () => seen.answers[0]?.destroyed === true);
    const other = await seen.open();
    other.write(get('/other'));
    await eventually('another one is served', () => seen.begun.includes('/other'));
    expect(seen.begun).toEqual(['/0', '/1', '/other']);
  });
});
