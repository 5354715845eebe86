import { expect, it } from 'vitest';
import { SystemClock } from '../../../../src/adapters/system-clock/system-clock.js';

const clock = new SystemClock();

it('sleeps as long as it is told', async () => {
  const start = clock.monotonic();
  await clock.sleep(30);
  expect(clock.monotonic() - start).toBeGreaterThanOrEqual(29);
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
});

it('wakes at once when the signal aborts, also before the sleep', async () => {
  const start = clock.monotonic();
  const stop = new AbortController();
  const sleeping = clock.sleep(60_000, stop.signal);
  stop.abort();
  await sleeping;
  await clock.sleep(60_000, stop.signal);
  expect(clock.monotonic() - start).toBeLessThan(5000);
});
