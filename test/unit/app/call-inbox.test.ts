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
    ['no JSON', '{'],
    ['something else', '{"kind":"chunks"}'],
  ])('after %s the answer is lost, once what came before was given', (_, message) => {
    const inbox = inboxWith(chunk(0), message, chunk(1));
    expect(inbox.shift()).toEqual(chunk(0));
    expect(() => inbox.shift()).toThrow(expect.objectContaining({ code: 'worker_lost' }) as Error);
  });

  test.each<[string, LiveMessage, string]>([
    ['before the first one had begun', pulse(0), 'worker_lost'],
    ['after the first one had begun', { kind: 'pulse', run: 'a', n: 0, begun: true }, 'worker_crashed'],
    ['after the first one had given something', chunk(0), 'worker_crashed'],
  ])('a second worker says that the first was lost: %s', (_, first, code) => {
    const inbox = inboxWith(first, pulse(0, 'b'));
    if (first.kind === 'chunks') inbox.shift();
    expect(() => inbox.shift()).toThrow(expect.objectContaining({ code }) as Error);
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
