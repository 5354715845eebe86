import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { describe, expect, test } from 'vitest';
import { FairShare } from '../../../src/app/fair/fair-share.js';
import { bounds } from '../../../src/domain/bounds.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { ParseTurns } from '../../../src/http/parse-turns.js';
import { FakeClock } from '../../support/fake-clock.js';

const large = bounds.parseAtOnceBytes;

function setUp() {
  const clock = new FakeClock();
  const share = new FairShare({
    places: 2,
    placesPerTenant: 1,
    waitingPerTenant: 100,
    tenants: { weight: () => 1 },
    refusal: () => new EyrieError('rate_limit_exceeded', 'too many'),
  });
  const turns = new ParseTurns(share, clock);
  const raw = Object.assign(new EventEmitter(), { destroyed: false });
  const reply = { raw } as unknown as FastifyReply;
  const done: string[] = [];
  const take = (tenant: string, bytes: number, tookMs = 0): Promise<void> =>
    turns.take(tenant, reply, bytes, async () => {
      if (tookMs > 0) await clock.sleep(tookMs);
      done.push(tenant);
    });
  return { clock, share, raw, done, take };
}

describe('ParseTurns', () => {
  test('small bodies wait for nobody', async () => {
    const { clock, done, take } = setUp();
    const first = take('mallory', large, 40);
    await Promise.all([take('mallory', large - 1), take('alice', 100)]);
    expect(done).toEqual(['mallory', 'alice']);
    await clock.advance(40);
    await first;
  });

  test('large bodies of one tenant go one after the other, with a pause of three times what each took', async () => {
    const { clock, done, take } = setUp();
    const all = [take('mallory', large, 40), take('mallory', large, 40)];
    await clock.advance(40);
    expect(done).toHaveLength(1);
    await clock.advance(3 * 40 - 1);
    await clock.advance(40);
    expect(done).toHaveLength(1);
    await clock.advance(1);
    expect(done).toHaveLength(2);
    await Promise.all(all);
  });

  test('another tenant goes on beside it', async () => {
    const { clock, done, take } = setUp();
    const slow = take('mallory', large, 1000);
    const waiting = take('mallory', large);
    await take('alice', large);
    expect(done).toEqual(['alice']);
    await clock.advance(1000 + bounds.parsePauseMsMax);
    await Promise.all([slow, waiting]);
  });

  test('a body whose client has gone waits no longer', async () => {
    const { clock, share, raw, take } = setUp();
    const first = take('mallory', large, 40);
    const second = take('mallory', large);
    raw.emit('close');
    await expect(second).rejects.toMatchObject({ code: 'service_unavailable' });
    await clock.advance(40 + bounds.parsePauseMsMax);
    await first;
    expect(share.state()).toMatchObject({ active: 0, waiting: 0 });
  });

  test('a body that is refused leaves its place too', async () => {
    const { clock, share, take } = setUp();
    await take('mallory', large);
    await clock.advance(0);
    expect(share.state().active).toBe(0);
  });
});
