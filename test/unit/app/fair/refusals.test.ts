import { expect, test } from 'vitest';
import { Refusals } from '../../../../src/app/fair/refusals.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { MemoryLog } from '../../../support/memory-log.js';

test('every refusal counts; the log has one line a minute and tenant', async () => {
  const [clock, log] = [new FakeClock(), new MemoryLog()];
  const refusals = new Refusals({ clock, log });
  for (let i = 0; i < 100; i++) refusals.note('mallory', 'requestsPerMinute');
  refusals.note('bob', 'jsonBodyBytesMax');
  expect(Object.fromEntries(refusals.counts())).toEqual({ requestsPerMinute: 100, jsonBodyBytesMax: 1 });
  const lines = () => log.entries.filter(({ event }) => event === 'work.refused').map(({ fields }) => fields);
  expect(lines()).toMatchObject([
    { tenant: 'mallory', refused: 1 },
    { tenant: 'bob', refused: 1 },
  ]);
  await clock.advance(60_000);
  refusals.note('mallory', 'requestsPerMinute');
  expect(lines().at(-1)).toMatchObject({ tenant: 'mallory', bound: 'requestsPerMinute', refused: 100 });
});
