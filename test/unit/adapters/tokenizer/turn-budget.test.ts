import { expect, test } from 'vitest';
import { TurnBudget } from '../../../../src/adapters/tokenizer/turn-budget.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function budgeted(steps: number) {
  const budget = new TurnBudget(steps);
  const done: string[] = [];
  const ask = (tenant: string, name: string, steps: number): Promise<unknown> =>
    budget.run(tenant, () => {
      done.push(name);
      return { steps };
    });
  return { done, ask };
}

test('so much is done in a turn; of what waits, tenants alternate', async () => {
  const { done, ask } = budgeted(100);
  for (let n = 1; n <= 4; n++) void ask('mallory', `m${n}`, 100);
  void ask('alice', 'a1', 10);
  void ask('alice', 'a2', 10);
  expect(done).toEqual(['m1']);
  await turn();
  expect(done).toEqual(['m1', 'm2']);
  await turn();
  expect(done).toEqual(['m1', 'm2', 'a1', 'm3']);
  await turn();
  expect(done).toEqual(['m1', 'm2', 'a1', 'm3', 'a2', 'm4']);
});

test('small works that come one after the other are done at once', async () => {
  const { done, ask } = budgeted(100);
  for (let n = 0; n < 3; n++) void ask('a', `${n}`, 30);
  expect(done).toHaveLength(3);
  await turn();
  expect(await ask('a', 'next', 1)).toEqual({ steps: 1 });
});

test('a work that fails takes nothing from those that wait', async () => {
  const budget = new TurnBudget(10);
  void budget.run('a', () => ({ steps: 10 }));
  const failing = budget.run('a', () => {
    throw new Error('failed');
  });
  const next = budget.run('b', () => ({ steps: 1 }));
  await expect(failing).rejects.toThrow('failed');
  expect(await next).toEqual({ steps: 1 });
});
