import { describe, expect, test } from 'vitest';
import type { ClaimRequest, Claims } from '../../../../src/app/quotas/claims.js';
import { toWorld } from '../../../../src/app/world.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { EyrieError } from '../../../../src/domain/errors.js';
import { fakeWorld } from '../../../support/fake-world.js';

/** Two processes that make things, over one store and one Redis. Making one takes a moment of fake time. */
function twoProcesses(limit: number) {
  const world = fakeWorld();
  const [here, there] = [world.claims, toWorld({ ...world, shared: world.shared.another() }).claims];
  /** What is in the store: amount by id. */
  const things = new Map<string, number>();
  let most = 0;
  const request = (id: string, change: Partial<ClaimRequest> = {}): ClaimRequest => ({
    kind: 'things',
    tenant: 'acme',
    id,
    limit,
    held: async () => {
      await world.clock.sleep(3);
      return new Map(things);
    },
    refusal: (used) => new EyrieError('insufficient_quota', `used: ${used}`),
    ...change,
  });
  const make = (claims: Claims, id: string, change: Partial<ClaimRequest> = {}, ms = 5) =>
    claims.take(request(id, change), async () => {
      await world.clock.sleep(ms);
      things.set(id, change.amount ?? 1);
      most = Math.max(
        most,
        [...things.values()].reduce((sum, amount) => sum + amount, 0),
      );
      // As a call does when the thing is in the store, and its act is not over.
      await world.clock.sleep(5);
      return id;
    });
  const settle = async <T>(calls: readonly Promise<T>[]) => {
    const all = Promise.allSettled(calls);
    const done = { is: false };
    void all.then(() => (done.is = true));
    while (!done.is) await world.clock.advance(1);
    const results = await all;
    return results.map((result) => (result.status === 'fulfilled' ? 'made' : (result.reason as Error).message));
  };
  return { world, here, there, things, make, settle, most: () => most };
}

const made = (results: readonly string[]): number => results.filter((result) => result === 'made').length;

describe('a limit on how many things there may be', () => {
  test('holds exactly under parallel calls of two processes, and is used to the full', async () => {
    const { here, there, make, settle, things } = twoProcesses(5);
    const results = await settle(Array.from({ length: 60 }, (_, n) => make(n % 2 ? here : there, `t${n}`)));
    expect(made(results)).toBe(5);
    expect(things.size).toBe(5);
  });

  test('holds exactly in one process while Redis is away', async () => {
    const { world, here, make, settle, things } = twoProcesses(5);
    world.shared.unavailable = true;
    expect(made(await settle(Array.from({ length: 60 }, (_, n) => make(here, `t${n}`))))).toBe(5);
    expect(things.size).toBe(5);
  });

  test('gives a place back when its act fails, and when its thing goes', async () => {
    const { world, here, there, make, settle, things } = twoProcesses(1);
    const failing = here.take(
      {
        kind: 'things',
        tenant: 'acme',
        id: 'x',
        limit: 1,
        held: () => Promise.resolve(new Map()),
        refusal: () => new Error('full'),
      },
      async () => {
        await world.clock.sleep(5);
        throw new Error('the act failed');
      },
    );
    expect(await settle([failing])).toEqual(['the act failed']);
    expect(await settle([make(there, 'a')])).toEqual(['made']);
    expect(await settle([make(here, 'b')])).toEqual(['used: 1']);
    things.clear();
    expect(await settle([make(here, 'b')])).toEqual(['made']);
  });

  test('counts a repeat of the same act once', async () => {
    const { here, there, make, settle, things } = twoProcesses(1);
    expect(made(await settle([make(here, 'a'), make(there, 'a'), make(here, 'a')]))).toBe(3);
    expect(made(await settle([make(there, 'a')])), 'also when it is there already').toBe(1);
    expect(things.size).toBe(1);
  });

  test('forgets the claim of a process that was killed', async () => {
    const { world, here, there, make, settle } = twoProcesses(1);
    void here.take(
      {
        kind: 'things',
        tenant: 'acme',
        id: 'x',
        limit: 1,
        held: () => Promise.resolve(new Map()),
        refusal: () => new Error('full'),
      },
      () => new Promise(() => undefined),
    );
    await world.clock.advance(10);
    expect(await settle([make(there, 'a')])).toEqual(['used: 1']);
    await world.clock.advance(bounds.claimKeptMs);
    expect(await settle([make(there, 'a')])).toEqual(['made']);
  });

  test('is one for each tenant and kind', async () => {
    const { here, make, settle } = twoProcesses(1);
    const calls = [make(here, 'a'), make(here, 'b', { tenant: 'other' }), make(here, 'c', { kind: 'others' })];
    expect(made(await settle(calls))).toBe(3);
  });

  test('in amounts: what would use it up is waited for, and what fails makes room', async () => {
    const { world, here, there, make, settle, most } = twoProcesses(1000);
    const failing = here.take(
      {
        kind: 'things',
        tenant: 'acme',
        id: 'x',
        amount: 900,
        limit: 1000,
        held: () => Promise.resolve(new Map()),
        refusal: () => new Error('full'),
      },
      async () => {
        await world.clock.sleep(50);
        throw new Error('the act failed');
      },
    );
    const waiting = make(there, 'a', { amount: 600, waitMs: 5000 });
    const hasty = make(there, 'b', { amount: 600 });
    expect(await settle([failing, waiting, hasty])).toEqual(['the act failed', 'made', 'used: 1500']);
    expect(
      made(await settle([make(here, 'c', { amount: 500, waitMs: 5000 }), make(there, 'd', { amount: 500 })])),
    ).toBe(0);
    expect(most()).toBe(600);
  });
});
