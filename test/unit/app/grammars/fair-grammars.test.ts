import { describe, expect, test } from 'vitest';
import { CountedGrammars, TooManyGrammars } from '../../../../src/app/grammars/counted-grammars.js';
import { FairGrammars } from '../../../../src/app/grammars/fair-grammars.js';
import { bounds } from '../../../../src/domain/bounds.js';
import type { Grammar } from '../../../../src/domain/grammar.js';
import type { GrammarCompiler } from '../../../../src/ports/grammars.js';
import { FakeGrammars } from '../../../support/fake-grammars.js';

const never = new AbortController().signal;
const regex = (text: string): Grammar => ({ kind: 'regex', text, leadingSpace: false });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Compiles until it is let go. */
class SlowCompiler implements GrammarCompiler {
  readonly begun: string[] = [];
  readonly kept = new Set<string>();
  readonly #waiting: (() => void)[] = [];

  isKept({ text }: Grammar): boolean {
    return this.kept.has(text);
  }

  async check({ text }: Grammar, tenant: string): Promise<void> {
    if (this.kept.has(text)) return;
    this.begun.push(`${tenant} ${text}`);
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    this.kept.add(text);
  }

  async next(): Promise<void> {
    this.#waiting.shift()?.();
    await settle();
  }
}

describe('grammars that are compiled', () => {
  test('of one tenant leave a place for those of another', async () => {
    const compiler = new SlowCompiler();
    const fair = new FairGrammars(compiler, { weight: () => 1 });
    const calls = Array.from({ length: 20 }, (_, i) => fair.ofCall('mallory', never).check(regex(`m${i}`)));
    const alice = fair.ofCall('alice', never).check(regex('a'));
    await settle();
    expect(compiler.begun).toEqual(['mallory m0', 'alice a']);
    await compiler.next();
    await compiler.next();
    await alice;
    while (compiler.begun.length < 21) await compiler.next();
    await compiler.next();
    await Promise.all(calls);
  });

  test('are refused when too many of a tenant wait for calls, but not when they are kept', async () => {
    const compiler = new SlowCompiler();
    const fair = new FairGrammars(compiler, { weight: () => 1 });
    compiler.kept.add('known');
    const mallory = fair.ofCall('mallory', never);
    const waiting = Array.from({ length: 1 + bounds.grammarsWaitingMax }, (_, i) => mallory.check(regex(`m${i}`)));
    await expect(mallory.check(regex('one more'))).rejects.toMatchObject({
      code: 'rate_limit_exceeded',
      bound: 'grammarsWaitingMax',
    });
    await mallory.check(regex('known'));
    for (let i = 0; i < waiting.length; i++) await compiler.next();
    await Promise.all(waiting);
  });

  test('of a file wait one line at a time, however many lines ask, and keep no call out', async () => {
    const compiler = new SlowCompiler();
    const fair = new FairGrammars(compiler, { weight: () => 1 });
    const file = fair.ofFile('mallory');
    const lines = Array.from({ length: 256 }, (_, i) => file.check(regex(`l${i}`)));
    const call = fair.ofCall('mallory', never).check(regex('call'));
    await settle();
    expect(fair.state()).toMatchObject({ active: 1, waiting: 1 });
    for (let i = 0; i < 257; i++) await compiler.next();
    await Promise.all([...lines, call]);
  });

  test('are not waited for by a call that is given up', async () => {
    const compiler = new SlowCompiler();
    const fair = new FairGrammars(compiler, { weight: () => 1 });
    const first = fair.ofCall('mallory', never).check(regex('a'));
    const stop = new AbortController();
    const second = fair.ofCall('mallory', stop.signal).check(regex('b'));
    stop.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    await compiler.next();
    await first;
    expect(compiler.begun).toEqual(['mallory a']);
  });
});

test('a batch has so many different grammars, whatever their order', async () => {
  const counted = new CountedGrammars(new FakeGrammars());
  for (let i = 0; i < bounds.grammarsPerBatchMax; i++) {
    await counted.check(regex(`r${i}`));
    await counted.check(regex('r0'));
  }
  await expect(counted.check(regex('one more'))).rejects.toBeInstanceOf(TooManyGrammars);
  await expect(counted.check(regex('r0'))).rejects.toThrow(
    `more than ${bounds.grammarsPerBatchMax} different grammars`,
  );
});
