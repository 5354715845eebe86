import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { LiveCalls } from '../../../src/http/live-calls.js';
import { fakeWorld } from '../../support/fake-world.js';

class FakeRaw extends EventEmitter {
  destroyed = false;
  writableFinished = true;
}
const reply = () => {
  const raw = new FakeRaw();
  return { raw, reply: { raw, request: { id: 'req_1' } } as unknown as FastifyReply };
};

test('a tenant has so many calls open at once; each that ends makes room for one', () => {
  const calls = new LiveCalls(fakeWorld());
  const open = Array.from({ length: bounds.liveCallsPerTenant }, () => {
    const one = reply();
    calls.open('mallory', one.reply);
    return one;
  });
  const refused = expect.objectContaining({ code: 'rate_limit_exceeded', bound: 'liveCallsPerTenant' }) as Error;
  expect(() => calls.open('mallory', reply().reply)).toThrow(refused);
  expect(() => calls.open('alice', reply().reply)).not.toThrow();
  open[0]?.raw.emit('close');
  expect(() => calls.open('mallory', reply().reply)).not.toThrow();
  expect(() => calls.open('mallory', reply().reply)).toThrow(refused);
});
