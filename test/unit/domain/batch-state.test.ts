import { describe, expect, test } from 'vitest';
import { batchStates, deriveState, isTerminal, mayFollow, terminalState } from '../../../src/domain/batch-state.js';

const fresh = { plan: 'absent', cancelRequested: false, allShardsDecided: false, manifest: null } as const;

describe('deriveState', () => {
  test.each([
    [fresh, 'validating'],
    [{ ...fresh, plan: 'work' }, 'in_progress'],
    [{ ...fresh, plan: 'work', allShardsDecided: true }, 'finalizing'],
    [{ ...fresh, plan: 'failed' }, 'finalizing'],
    [{ ...fresh, cancelRequested: true }, 'cancelling'],
    [{ ...fresh, plan: 'work', cancelRequested: true }, 'cancelling'],
    [{ ...fresh, plan: 'work', cancelRequested: true, allShardsDecided: true, manifest: 'completed' }, 'completed'],
    [{ ...fresh, plan: 'failed', manifest: 'failed' }, 'failed'],
  ] as const)('%o is %s', (evidence, state) => {
    expect(deriveState(evidence)).toBe(state);
  });
});

describe('transitions', () => {
  test('terminal states are followed by nothing else', () => {
    for (const from of batchStates.filter(isTerminal))
      for (const to of batchStates) expect(mayFollow(from, to)).toBe(from === to);
  });

  test('a batch never goes back', () => {
    expect(mayFollow('in_progress', 'validating')).toBe(false);
    expect(mayFollow('finalizing', 'in_progress')).toBe(false);
    expect(mayFollow('cancelling', 'in_progress')).toBe(false);
    expect(mayFollow('validating', 'completed')).toBe(true);
  });
});

describe('terminalState', () => {
  test('is completed when no shard was given up', () => expect(terminalState('work', new Set())).toBe('completed'));
  test('takes failed over cancelled over expired', () => {
    expect(terminalState('work', new Set(['expired', 'cancelled', 'failed']))).toBe('failed');
    expect(terminalState('work', new Set(['expired', 'cancelled']))).toBe('cancelled');
    expect(terminalState('work', new Set(['expired']))).toBe('expired');
  });
  test('is the verdict of a plan without work', () => expect(terminalState('expired', new Set())).toBe('expired'));
});
