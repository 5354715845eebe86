import { describe, expect, test } from 'vitest';
import { completionWindows, windowSeconds } from '../../../src/domain/completion-window.js';
import { batchPrice, costOf } from '../../../src/domain/prices.js';

const table = {
  currency: 'EUR',
  models: { big: { input: 2, output: 6 }, '*': { input: 1, output: 3 } },
  discounts: { '24h': 0.5 },
};

describe('the price of a batch', () => {
  test('is that of its model, else of any other, with the discount of its window', () => {
    expect(batchPrice(table, 'big', '1h')).toEqual({ currency: 'EUR', input: 2, output: 6, discount: 0 });
    expect(batchPrice(table, 'toString', '24h')).toEqual({ currency: 'EUR', input: 1, output: 3, discount: 0.5 });
    expect(batchPrice({ ...table, models: {} }, 'toString', '24h')).toBeNull();
    expect(batchPrice(null, 'big', '24h')).toBeNull();
  });

  test('goes by the million tokens, rounded to a millionth of the currency', () => {
    const price = { currency: 'EUR', input: 0.1, output: 0.2, discount: 0.5 };
    expect(costOf(price, 1_000_000, 2_000_000)).toBe(0.25);
    expect(costOf(price, 3, 0)).toBe(0);
    expect(costOf(price, 100, 7)).toBe(0.000006);
  });
});

test('windows are whole minutes, hours or days; 24h is always one', () => {
  expect(['90m', '6h', '7d', '24h'].map(windowSeconds)).toEqual([5400, 21_600, 604_800, 86_400]);
  for (const name of ['', '24', 'h', '0h', '-1h', '1.5h', '24H', ' 24h', '24h ', '1w'])
    expect(windowSeconds(name)).toBeNull();
  expect([...completionWindows(['1h'])]).toEqual([
    ['1h', 3600],
    ['24h', 86_400],
  ]);
});
