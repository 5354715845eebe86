import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LoopTurns } from '../../../../src/http/sockets/loop-turns.js';
import { pacePipelines } from '../../../../src/http/sockets/pipelines.js';
import { eventually } from '../../../support/eventually.js';

const rules = { atOnce: 2, waitingMax: 1000, waitingInAllMax: 1500 };

interface Seen {
  readonly server: Server;
  readonly open: () => Promise<Socket>;
  /** Paths in the order in which they were begun. */
  readonly begun: string[];
  readonly answers: ServerResponse[];
  mostAtOnce: number;
  cuts: number;
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
  pacePipelines(server, { ...rules, turns: new LoopTurns({ perTurn: 4, connectingMs: 4 }), onCut: () => seen.cuts++ });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const open = async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const seen: Seen = { server, open, begun: [], answers: [], mostAtOnce: 0, cuts: 0 };
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return seen;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
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
    const closed = (socket: Socket): Promise<void> =>
      new Promise((resolve) => {
        socket.on('error', () => undefined).once('close', () => resolve());
      });
    const farClosed = closed(far);
    far.write(many(20_000));
    await farClosed;
    expect(seen.cuts).toBe(1);
    const secondClosed = closed(second);
    first.write(many(902));
    await eventually('the first is read', () => seen.begun.length === 4);
    second.write(many(902));
    await secondClosed;
    expect(seen.cuts).toBe(2);
    // What waited on it counts no more.
    first.resume();
    await eventually('all of the first are begun', () => {
      for (const answer of seen.answers.splice(0)) answer.end();
      return seen.begun.filter((path) => path === '/901').length === 1;
    });
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
