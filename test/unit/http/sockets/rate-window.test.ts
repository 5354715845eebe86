import { expect, test } from 'vitest';
import { RateWindow } from '../../../../src/http/sockets/rate-window.js';

/** 1000 bytes in each second, told every 100 ms. */
const windowOfASecond = (): RateWindow => new RateWindow({ bytesPerSecondMin: 1000, graceMs: 1000 }, 100);

/** In which tick it was found too slow, from 1; null: never. */
function cutAt(moved: readonly number[]): number | null {
  const window = windowOfASecond();
  const at = moved.findIndex((bytes) => window.tick(bytes));
  return at < 0 ? null : at + 1;
}

const silence = (ticks: number): number[] => Array.from({ length: ticks }, () => 0);

test('nothing is demanded before the first window has passed', () => {
  expect(cutAt(silence(9))).toBeNull();
  expect(cutAt(silence(10))).toBe(10);
});

test('bytes of one window pay for no silence in a later one', () => {
  expect(cutAt([16_000_000, ...silence(30)])).toBe(11);
});

test('the window slides: whoever has the rate in each is never cut, in small steps or in one', () => {
  expect(cutAt(Array.from({ length: 500 }, () => 100))).toBeNull();
  expect(cutAt(Array.from({ length: 500 }, (_, at) => (at % 10 === 3 ? 1000 : 0)))).toBeNull();
  expect(cutAt(Array.from({ length: 500 }, () => 99))).toBe(10);
});
