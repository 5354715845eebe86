import { describe, expect, test } from 'vitest';
import { CallInbox } from '../../../src/app/live/call-inbox.js';
import type { LiveMessage } from '../../../src/contract/live-message.js';
import { FakeClock } from '../../support/fake-clock.js';

const never = new AbortController().signal;

function inboxWith(...messages: readonly (LiveMessage | string)[]): CallInbox {
  const inbox = new CallInbox(new FakeClock());
  for (const message of messages) inbox.onMessage(typeof message === 'string' ? message : JSON.stringify(message));
  return inbox;
}
const chunk = (n: number, run = 'a'): LiveMessage => ({ kind: 'chunks', run, n, chunks: [`${run}${n}`] });
const pulse = (n: number, run = 'a'): LiveMessage => ({ kind: 'pulse', run, n });

describe('the inbox of a live call', () => {
  test('gives what has come, in order, and then nothing; pulses only show that a worker is there', () => {
    const inbox = inboxWith(pulse(0), chunk(1), pulse(2), chunk(3));
    expect([inbox.shift(), inbox.shift(), inbox.shift()]).toEqual([chunk(1), chunk(3), null]);
    expect(inbox.heardMs).toBe(0);
    expect(inboxWith().heardMs).toBeNull();
  });

  test('takes a message that comes twice once', () => {
    const inbox = inboxWith(chunk(0), chunk(0), chunk(1), chunk(0), chunk(2));
    expect([inbox.shift(), inbox.shift(), inbox.shift(), inbox.shift()]).toEqual([chunk(0), chunk(1), chunk(2), null]);
  });

  test.each([
    ['a gap', chunk(2)],
    ['a beginning that was missed', chunk(1, 'b')],
    ['a second worker', chunk(0, 'b')],
    ['no JSON', '{'],
    ['something else', '{"kind":"chunks"}'],
  ])('after %s the answer is lost, once what came before was given', (_, message) => {
    const inbox = inboxWith(chunk(0), message, chunk(1));
    expect(inbox.shift()).toEqual(chunk(0));
    expect(() => inbox.shift()).toThrow(expect.objectContaining({ code: 'worker_lost' }) as Error);
  });

  test('a broken channel wakes the one who waits, and is thrown', async () => {
    const inbox = inboxWith(chunk(0));
    inbox.shift();
    const waiting = inbox.wait(1000, never);
    inbox.onLost(new Error('away'));
    await waiting;
    expect(() => inbox.shift()).toThrow('away');
  });

  test('waiting ends with a message, with the time, or with the signal', async () => {
    const clock = new FakeClock();
    const inbox = new CallInbox(clock);
    const first = inbox.wait(1000, never);
    inbox.onMessage(JSON.stringify(pulse(0)));
    await first;
    const second = inbox.wait(1000, never);
    await clock.advance(1000);
    await second;
    const stop = new AbortController();
    const third = inbox.wait(1000, stop.signal);
    stop.abort();
    await third;
    expect(clock.monotonic()).toBe(1000);
  });
});
