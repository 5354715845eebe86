import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { SignalGroups } from '../../../../src/adapters/engine-native/signal-groups.js';

describe('sequences by their signal', () => {
  test('one group and one listener per signal', () => {
    const groups = new SignalGroups(() => undefined);
    const [first, second] = [new AbortController(), new AbortController()];
    const group = groups.of(first.signal);
    expect(groups.of(first.signal)).toBe(group);
    expect(groups.of(second.signal).number).not.toBe(group.number);
    expect(getEventListeners(first.signal, 'abort')).toHaveLength(1);
  });

  test('an abort cancels what is live under that signal, and nothing else', () => {
    const cancelled: number[] = [];
    const groups = new SignalGroups((id) => cancelled.push(id));
    const [first, second] = [new AbortController(), new AbortController()];
    for (const id of [1, 2, 3]) groups.of(first.signal).live.add(id);
    groups.of(second.signal).live.add(4);
    groups.of(first.signal).live.delete(2);
    first.abort();
    expect(cancelled).toEqual([1, 3]);
  });
});
