import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { drainBody } from '../../../src/http/drain-body.js';
import { LoopTurns } from '../../../src/http/sockets/loop-turns.js';
import { eventually } from '../../support/eventually.js';

const chunk = Buffer.alloc(64 * 1024);

/** A request whose body comes as fast as it is read. */
function refused(chunks: number): { request: IncomingMessage; left: () => number } {
  let left = chunks;
  const body = new Readable({
    highWaterMark: chunk.length,
    read() {
      this.push(left-- > 0 ? chunk : null);
    },
  });
  const request = Object.assign(body, { headers: { 'content-length': String(chunks * chunk.length) } });
  return { request: request as unknown as IncomingMessage, left: () => left };
}

test('of bodies that are refused together a piece is read in each turn; another caller is next', async () => {
  const turns = new LoopTurns({ perTurn: 1, connectingMs: 1000 });
  const bodies = Array.from({ length: 20 }, () => refused(10));
  let pieces = 0;
  for (const { request } of bodies) {
    request.on('data', () => pieces++);
    drainBody(request, Infinity, (step) => turns.take('mallory', step));
  }
  await eventually('the first pieces', () => pieces >= bodies.length);
  const before = pieces;
  await turns.enter('alice');
  // One that was under way, and one whose turn comes first.
  expect(pieces - before).toBeLessThanOrEqual(2);
  await eventually('the ends', () => bodies.every(({ request }) => request.readableEnded));
  expect(pieces).toBe(20 * 10);
});

test('a body beyond the bound is cut off', async () => {
  const { request, left } = refused(100);
  drainBody(request, 5 * chunk.length, (step) => step());
  await eventually('the cut', () => request.destroyed);
  expect(left()).toBeGreaterThan(90);
});
