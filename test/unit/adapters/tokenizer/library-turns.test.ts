import { expect, test } from 'vitest';
import { LibraryTurns } from '../../../../src/adapters/tokenizer/library-turns.js';

/** Steps that end when they are told to. */
function held(turns: LibraryTurns) {
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const ended: Promise<void>[] = [];
  return {
    begun,
    ask: (tenant: string, name: string): void => {
      const step = turns.run(tenant, () => {
        begun.push(name);
        return new Promise<void>((resolve, reject) => ends.set(name, (error) => (error ? reject(error) : resolve())));
      });
      ended.push(step.catch(() => undefined));
    },
    end: async (name: string, error?: Error): Promise<void> => {
      ends.get(name)?.(error);
      await new Promise((resolve) => setImmediate(resolve));
    },
    all: () => Promise.all(ended),
  };
}

test('so many run at once; of those that wait, tenants take turns', async () => {
  const steps = held(new LibraryTurns(2));
  for (let n = 1; n <= 5; n++) steps.ask('mallory', `m${n}`);
  steps.ask('alice', 'a1');
  steps.ask('alice', 'a2');
  expect(steps.begun).toEqual(['m1', 'm2']);
  const order = ['m1', 'm2', 'm3', 'a1', 'm4', 'a2', 'm5'];
  for (const [at, name] of order.entries()) {
    await steps.end(name);
    expect(steps.begun).toEqual(order.slice(0, at + 3));
  }
  await steps.all();
});

test('a step that fails leaves its place, and places are free again when nothing waits', async () => {
  const steps = held(new LibraryTurns(1));
  steps.ask('a', '1');
  steps.ask('a', '2');
  await steps.end('1', new Error('failed'));
  expect(steps.begun).toEqual(['1', '2']);
  await steps.end('2');
  steps.ask('b', '3');
  expect(steps.begun).toEqual(['1', '2', '3']);
  steps.ask('b', '4');
  expect(steps.begun).toEqual(['1', '2', '3']);
  await steps.end('3');
  await steps.end('4');
  await steps.all();
});
