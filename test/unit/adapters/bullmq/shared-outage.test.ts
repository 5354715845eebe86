import { expect, it, onTestFinished } from 'vitest';
import { openBullmq } from '../../../../src/adapters/bullmq/open-bullmq.js';
import { SystemClock } from '../../../../src/adapters/system-clock/system-clock.js';
import { QuickShared } from '../../../../src/app/quotas/quick-shared.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { freePort, loopbackServer } from '../../../support/loopback-server.js';
import { MemoryLog } from '../../../support/memory-log.js';

/** Takes connections and never says a word. */
const silentServer = () => loopbackServer((socket) => void socket.on('error', () => undefined));

it.each([
  ['is not there', freePort],
  ['hangs', silentServer],
])('a Redis that %s holds up one request for a moment, and no other', async (_, portOf) => {
  const log = new MemoryLog();
  const { shared, close } = openBullmq({
    redisUrl: `redis://127.0.0.1:${await portOf()}`,
    log,
    settings: { closeTimeoutMs: 200 },
  });
  onTestFinished(close);
  const clock = new SystemClock();
  const quick = new QuickShared({ shared, clock, log });
  const ask = () => quick.ask((state) => state.takeToken('a', 1000));
  const started = clock.monotonic();
  expect(await ask()).toBeNull();
  const first = clock.monotonic();
  // Far below what a call of the queue waits for a connection.
  expect(first - started).toBeLessThan(4 * bounds.sharedAnswerMs);
  for (let n = 0; n < 1000; n++) expect(await ask()).toBeNull();
  expect(clock.monotonic() - first).toBeLessThan(bounds.sharedAnswerMs);
});
