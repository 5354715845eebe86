import { describe, expect, test } from 'vitest';
import { WorkGate } from '../../../../src/app/attempts/work-gate.js';

const never = new AbortController().signal;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work that goes on until it is told to end. */
function work(log: string[], name: string) {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    end,
    run: async (): Promise<void> => {
      log.push(`${name} begins`);
      await ended;
      log.push(`${name} ends`);
    },
  };
}

class Consumer {
  readonly calls: string[] = [];
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
}

describe('the gate', () => {
  test('lets usual work run side by side, and fetches all the time', async () => {
    const gate = new WorkGate();
    const consumer = new Consumer();
    gate.watch([consumer]);
    const log: string[] = [];
    const [a, b] = [work(log, 'a'), work(log, 'b')];
    const both = Promise.all([gate.shared(never, a.run), gate.shared(never, b.run)]);
    await settle();
    expect(log).toEqual(['a begins', 'b begins']);
    a.end();
    b.end();
    await both;
    expect(consumer.calls).toEqual([]);
  });

  test('keeps a suspect apart from what is under way and from what comes later, and stops fetching meanwhile', async () => {
    const gate = new WorkGate();
    const consumer = new Consumer();
    gate.watch([consumer]);
    const log: string[] = [];
    const [first, suspect, later] = [work(log, 'first'), work(log, 'suspect'), work(log, 'later')];
    const all = [gate.shared(never, first.run), gate.alone(0, never, suspect.run), gate.shared(never, later.run)];
    await settle();
    expect(log).toEqual(['first begins']);
    expect(consumer.calls).toEqual(['pause']);
    first.end();
    await settle();
    expect(log.at(-1)).toBe('suspect begins');
    suspect.end();
    await settle();
    expect(log.slice(-2)).toEqual(['suspect ends', 'later begins']);
    expect(consumer.calls).toEqual(['pause', 'resume']);
    later.end();
    await Promise.all(all);
  });

  test('runs suspects one after the other, those with the fewest failures first', async () => {
    const gate = new WorkGate();
    const log: string[] = [];
    const busy = work(log, 'busy');
    const done = [gate.shared(never, busy.run)];
    const suspects = [3, 0, 1, 0].map((failures, at) => ({ failures, ...work(log, `${at}`) }));
    for (const { failures, run, end } of suspects) {
      done.push(gate.alone(failures, never, run));
      end();
    }
    busy.end();
    await Promise.all(done);
    expect(log.filter((entry) => entry.endsWith('begins')).slice(1)).toEqual([
      '1 begins',
      '3 begins',
      '2 begins',
      '0 begins',
    ]);
    for (let at = 2; at < log.length; at += 2) expect(log[at]?.[0]).toBe(log[at + 1]?.[0]);
  });

  test('a suspect or other work that is aborted while it waits holds up nobody', async () => {
    const gate = new WorkGate();
    const consumer = new Consumer();
    gate.watch([consumer]);
    const log: string[] = [];
    const [busy, later] = [work(log, 'busy'), work(log, 'later')];
    const running = gate.shared(never, busy.run);
    const [suspectGone, otherGone] = [new AbortController(), new AbortController()];
    const suspect = gate.alone(0, suspectGone.signal, () => Promise.reject(new Error('It must not begin.')));
    const waits = gate.shared(never, later.run);
    const goes = gate.shared(otherGone.signal, () => Promise.reject(new Error('It must not begin.')));
    otherGone.abort('shutdown');
    await expect(goes).rejects.toBe('shutdown');
    suspectGone.abort('lease_lost');
    await expect(suspect).rejects.toBe('lease_lost');
    await settle();
    expect(log).toEqual(['busy begins', 'later begins']);
    expect(consumer.calls).toEqual(['pause', 'resume']);
    busy.end();
    later.end();
    await Promise.all([running, waits]);
    await expect(gate.alone(0, suspectGone.signal, () => Promise.resolve())).rejects.toBe('lease_lost');
  });

  test('work that throws leaves the gate as work that succeeds does', async () => {
    const gate = new WorkGate();
    await expect(gate.alone(0, never, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(gate.shared(never, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await gate.alone(0, never, () => Promise.resolve('yes'))).toBe('yes');
  });
});
