import { afterEach, describe, expect, it } from 'vitest';
import type { UsageChange } from '../../src/domain/usage.js';
import type { SharedState } from '../../src/ports/shared-state.js';

export interface SharedStateHarness {
  /** Two processes side by side. */
  readonly here: SharedState;
  readonly there: SharedState;
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const incoming = (amount: number, before = 0, epoch = 0): UsageChange => ({ amount, before, epoch });
const ask = incoming(0);
/** No count grows old within a test, or each does at once. */
const never = 600_000;

export function describeSharedState(name: string, open: () => SharedStateHarness): void {
  describe(`${name} as SharedState`, () => {
    let harness: SharedStateHarness;
    afterEach(() => harness.close());

    /** A first count, handed in. */
    async function counted(usage: string, amount: number): Promise<void> {
      const { countAs } = await harness.here.changeUsage(usage, ask, never);
      await harness.here.settleUsage(usage, countAs ?? 0, amount);
    }

    it('leases to one at a time: it keeps what it renews, and another gets it once it stopped', async () => {
      const { here, there, pass } = (harness = open());
      expect(await here.lease('a', 300)).toBe(true);
      expect(await there.lease('a', 300)).toBe(false);
      expect(await there.lease('b', 300), 'another lease').toBe(true);
      await pass(200);
      expect(await here.lease('a', 300)).toBe(true);
      await pass(200);
      expect(await there.lease('a', 300), 'renewed').toBe(false);
      await pass(350);
      expect(await there.lease('a', 300)).toBe(true);
      expect(await here.lease('a', 300)).toBe(false);
    });

    it('of many that ask for a lease at once one gets it', async () => {
      const { here, there } = (harness = open());
      const [first] = await Promise.all([here.lease('a', 1000), there.lease('a', 1000)]);
      for (let n = 0; n < 3; n++) {
        expect(await here.lease('a', 1000)).toBe(first);
        expect(await there.lease('a', 1000)).toBe(!first);
      }
    });

    it('gives a minute’s worth of tokens to all processes together, then refuses without taking', async () => {
      const { here, there } = (harness = open());
      const first = await here.takeToken('a', 5);
      expect(first.taken).toBe(true);
      expect(first.left).toBeCloseTo(4, 1);
      for (const process of [there, here, there, here]) expect((await process.takeToken('a', 5)).taken).toBe(true);
      for (const process of [there, here, there]) {
        const { taken, left } = await process.takeToken('a', 5);
        expect(taken).toBe(false);
        expect(left).toBeCloseTo(0, 1);
      }
      expect((await there.takeToken('b', 5)).left, 'another bucket').toBeCloseTo(4, 1);
    });

    it('fills a bucket steadily, no further than to its brim', async () => {
      const { here, there, pass } = (harness = open());
      for (let n = 0; n < 600; n++) await here.takeToken('a', 600);
      const atOnce = await here.takeToken('a', 600);
      await pass(500);
      const later = await there.takeToken('a', 600);
      expect(later.taken).toBe(true);
      // Ten a second.
      expect(later.left - atOnce.left).toBeGreaterThan(3.5);
      await here.takeToken('b', 600);
      await pass(500);
      expect((await there.takeToken('b', 600)).left).toBeCloseTo(599, 1);
    });

    it('goes on with another limit', async () => {
      const { here } = (harness = open());
      for (let n = 0; n < 3; n++) await here.takeToken('a', 3);
      expect((await here.takeToken('a', 3)).taken).toBe(false);
      expect((await here.takeToken('a', 6)).taken, 'an empty bucket stays empty').toBe(false);
      await here.takeToken('b', 6);
      expect((await here.takeToken('b', 3)).left, 'half a token was gone, of three').toBeCloseTo(1.5, 1);
    });

    it('asks everybody for the first count, and takes one of them', async () => {
      const { here, there } = (harness = open());
      const first = await here.changeUsage('a', incoming(7), never);
      const second = await there.changeUsage('a', incoming(5), never);
      expect(first.counted).toBeNull();
      expect(first.countAs).toBeGreaterThan(0);
      expect(second.countAs).toBe(first.countAs);
      expect(await here.settleUsage('a', first.countAs ?? 0, 1000)).toMatchObject({ counted: 1000, added: 12 });
      expect(await there.settleUsage('a', second.countAs ?? 0, 2000)).toMatchObject({ counted: 1000, added: 12 });
      expect(await there.changeUsage('a', ask, never)).toMatchObject({ counted: 1000, added: 12, countAs: null });
      expect((await there.changeUsage('b', ask, never)).counted, 'another usage').toBeNull();
    });

    it('adds up what comes in and what is given back, in large numbers too', async () => {
      const { here, there } = (harness = open());
      await counted('a', 5_000_000_000_000);
      await here.changeUsage('a', incoming(200_000_000_000), never);
      const { epoch } = await there.changeUsage('a', incoming(1), never);
      expect(await there.changeUsage('a', incoming(-1, 1, epoch), never)).toEqual({
        counted: 5_000_000_000_000,
        added: 200_000_000_000,
        epoch,
        countAs: null,
      });
    });

    it('asks one process for a new count when the last is old, and tells the others the last one meanwhile', async () => {
      const { here, there, pass } = (harness = open());
      await counted('a', 1000);
      await here.changeUsage('a', incoming(50), never);
      await pass(150);
      const due = await here.changeUsage('a', ask, 100);
      expect(due.countAs).toBeGreaterThan(0);
      expect(await there.changeUsage('a', incoming(3), 100)).toMatchObject({ counted: 1000, added: 53, countAs: null });
      expect(await here.settleUsage('a', due.countAs ?? 0, 1050)).toMatchObject({ counted: 1050, added: 3 });
      expect(await there.settleUsage('a', due.countAs ?? 0, 9), 'handed in once').toMatchObject({ counted: 1050 });
    });

    it('has a new count hear of all that is still on its way', async () => {
      const { here, there, pass } = (harness = open());
      await counted('a', 1000);
      const early = await there.changeUsage('a', incoming(40), never);
      await pass(150);
      const { countAs } = await here.changeUsage('a', ask, 100);
      await here.settleUsage('a', countAs ?? 0, 1000);
      const more = await there.changeUsage('a', incoming(2, 40, early.epoch), never);
      expect(more).toMatchObject({ counted: 1000, added: 42 });
      expect(await there.changeUsage('a', incoming(1, 42, more.epoch), never)).toMatchObject({ added: 43 });
      expect(await there.changeUsage('a', incoming(-43, 43, more.epoch), never)).toMatchObject({ added: 0 });
      // Given back after another count had begun that never heard of it.
      const other = await there.changeUsage('a', incoming(9), never);
      await pass(150);
      const next = await here.changeUsage('a', ask, 100);
      await here.settleUsage('a', next.countAs ?? 0, 1000);
      expect(await there.changeUsage('a', incoming(-9, 9, other.epoch), never)).toMatchObject({ added: 0 });
    });

    it('does not wait for a counter that does not come back, nor takes its count when it does', async () => {
      const { here, there, pass } = (harness = open());
      await counted('a', 1000);
      await pass(150);
      const lost = await here.changeUsage('a', ask, 100);
      await pass(150);
      const again = await there.changeUsage('a', ask, 100);
      expect(again.countAs).toBeGreaterThan(lost.countAs ?? Infinity);
      expect(await here.settleUsage('a', lost.countAs ?? 0, 1)).toMatchObject({ counted: 1000 });
      expect(await there.settleUsage('a', again.countAs ?? 0, 2000)).toMatchObject({ counted: 2000 });
    });

    it('gives the claims that were made before, by any process, in their order, each until it is dropped', async () => {
      const { here, there } = (harness = open());
      const claim = (claimId: string, amount = 1) => ({ claimId, id: `thing ${claimId}`, amount });
      expect(await here.claim('a', claim('1'), 10_000)).toEqual([]);
      expect(await there.claim('a', claim('2', 7_000_000_000), 10_000)).toEqual([claim('1')]);
      expect(await here.claim('a', claim('3'), 10_000)).toEqual([claim('1'), claim('2', 7_000_000_000)]);
      expect(await there.claim('b', claim('4'), 10_000), 'another name').toEqual([]);
      expect(await here.claim('a', claim('1'), 10_000), 'renewed: it keeps its place').toEqual([]);
      expect(await there.unclaim('a', '1')).toEqual({ wasThere: true });
      expect(await there.unclaim('a', '1')).toEqual({ wasThere: false });
      expect(await here.claim('a', claim('3'), 10_000)).toEqual([claim('2', 7_000_000_000)]);
    });

    it('of many claims made at once none is missing to those behind it', async () => {
      const { here, there } = (harness = open());
      const claims = Array.from({ length: 40 }, (_, n) => ({ claimId: `c${n}`, id: `thing-${n}`, amount: 1 }));
      const seen = await Promise.all(claims.map((claim, n) => (n % 2 ? here : there).claim('a', claim, 10_000)));
      expect(seen.map((earlier) => earlier.length).toSorted((a, b) => a - b)).toEqual(claims.map((_, n) => n));
    });

    it('forgets a claim that is not renewed in time', async () => {
      const { here, there, pass } = (harness = open());
      const claim = (claimId: string) => ({ claimId, id: claimId, amount: 1 });
      await here.claim('a', claim('1'), 200);
      await here.claim('a', claim('2'), 10_000);
      await pass(300);
      expect(await there.claim('a', claim('3'), 10_000)).toEqual([claim('2')]);
      expect(await there.unclaim('a', '1')).toEqual({ wasThere: false });
    });
  });
}
