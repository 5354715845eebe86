import { expect, test } from 'vitest';
import { CallTurns } from '../../../../src/adapters/s3/call-turns.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('calls begin in their order, one in each turn of the event loop', async () => {
  const turns = new CallTurns();
  const begun: number[] = [];
  for (let at = 0; at < 3; at++) void turns.enter('a').then(() => begun.push(at));
  await Promise.resolve();
  expect(begun).toEqual([0]);
  await turn();
  expect(begun).toEqual([0, 1]);
  void turns.enter('a').then(() => begun.push(3));
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  await turn();
  expect(begun).toEqual([0, 1, 2, 3]);
});

test('calls about different folders alternate', async () => {
  const turns = new CallTurns();
  const begun: string[] = [];
  for (const folder of ['many', 'many', 'many', 'many', 'one', 'two'])
    void turns.enter(folder).then(() => begun.push(folder));
  for (let at = 0; at < 5; at++) await turn();
  expect(begun).toEqual(['many', 'many', 'one', 'two', 'many', 'many']);
});

test('a call that comes when nothing waits begins at once, in every turn', async () => {
  const turns = new CallTurns();
  for (let at = 0; at < 3; at++) {
    let entered = false;
    void turns.enter('a').then(() => (entered = true));
    await Promise.resolve();
    expect(entered).toBe(true);
    await turn();
  }
});
