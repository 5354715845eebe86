import { expect, test } from 'vitest';
import { CallTurns } from '../../../../src/adapters/s3/call-turns.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('calls begin in their order, a few in each turn of the event loop', async () => {
  const turns = new CallTurns(2);
  const begun: number[] = [];
  for (let at = 0; at < 5; at++) void turns.enter().then(() => begun.push(at));
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  await turn();
  expect(begun).toEqual([0, 1, 2, 3]);
  void turns.enter().then(() => begun.push(5));
  await turn();
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
});

test('a call that comes when nothing waits begins at once, in every turn', async () => {
  const turns = new CallTurns(1);
  for (let at = 0; at < 3; at++) {
    let entered = false;
    void turns.enter().then(() => (entered = true));
    await Promise.resolve();
    expect(entered).toBe(true);
    await turn();
  }
});
