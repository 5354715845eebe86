import { describe, expect, test } from 'vitest';
import { FairShare, type FairShareRules } from '../../../../src/app/fair/fair-share.js';
import { EyrieError } from '../../../../src/domain/errors.js';

const shareOf = (rules: Partial<FairShareRules> = {}): FairShare =>
  new FairShare({
    places: 1,
    placesPerTenant: Infinity,
    waitingPerTenant: 1000,
    tenants: { weight: () => 1 },
    refusal: (tenant) => new EyrieError('rate_limit_exceeded', `too many of ${tenant}`),
    ...rules,
  });

/** Lets `steps` of each tenant in, one place, and says in which order they came. */
async function orderOf(
  share: FairShare,
  steps: readonly (readonly [tenant: string, cost: number])[],
): Promise<string[]> {
  const leave = await share.enter('first');
  const order: string[] = [];
  const all = steps.map(([tenant, cost]) =>
    share.run(
      tenant,
      () => {
        order.push(tenant);
        return Promise.resolve();
      },
      { cost },
    ),
  );
  leave();
  await Promise.all(all);
  return order;
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('FairShare', () => {
  test('a tenant that comes later is not behind all that another has piled up', async () => {
    const order = await orderOf(shareOf(), [...times(6, ['m', 1] as const), ['a', 1]]);
    expect(order.indexOf('a')).toBeLessThanOrEqual(1);
  });

  test('tenants that wait all the time get places by their weights', async () => {
    const weights: Record<string, number> = { a: 1, b: 2, c: 4 };
    const share = shareOf({ tenants: { weight: (tenant) => weights[tenant] ?? 1 } });
    const order = await orderOf(
      share,
      ['a', 'b', 'c'].flatMap((tenant) => times(200, [tenant, 1] as const)),
    );
    const served = (tenant: string): number => order.slice(0, 140).filter((one) => one === tenant).length;
    expect([served('a'), served('b'), served('c')].map((count) => Math.round(count / 10))).toEqual([2, 4, 8]);
  });

  test('a step takes of its share what it costs', async () => {
    const order = await orderOf(shareOf(), [...times(20, ['m', 10] as const), ...times(100, ['a', 1] as const)]);
    expect(order.slice(0, 55).filter((one) => one === 'm')).toHaveLength(5);
  });

  test('a tenant that asked for nothing has no claim on those that worked meanwhile', async () => {
    const share = shareOf();
    const hold = await share.enter('x');
    const order: string[] = [];
    const run = (tenant: string): Promise<void> =>
      share.run(tenant, () => {
        order.push(tenant);
        return Promise.resolve();
      });
    const early = times(50, 'b').map(run);
    hold();
    await Promise.all(early.slice(0, 40));
    const late = [...times(20, 'c').map(run), ...times(20, 'b').map(run)];
    await Promise.all([...early, ...late]);
    const after = order.slice(50);
    expect(after.slice(0, 10).filter((one) => one === 'c').length).toBeLessThanOrEqual(6);
  });

  test('one tenant does not get all places, and what it holds stays held', async () => {
    const share = shareOf({ places: 4, placesPerTenant: 3 });
    const held = await Promise.all(times(3, 'm').map((tenant) => share.enter(tenant)));
    expect(share.tryEnter('m')).toBeNull();
    const other = await share.enter('a');
    expect(share.state()).toEqual({ waiting: 0, active: 4, busiestShare: 0.75 });
    [...held, other].forEach((leave) => leave());
    expect(share.state()).toEqual({ waiting: 0, active: 0, busiestShare: 0 });
  });

  test('a place is left once, however often it is said', async () => {
    const share = shareOf({ places: 2 });
    const leave = await share.enter('m');
    leave();
    leave();
    expect(share.state().active).toBe(0);
  });

  test('beyond its waiting steps a tenant is refused, and no other', async () => {
    const share = shareOf({ waitingPerTenant: 2 });
    const leave = await share.enter('m');
    const waiting = [share.enter('m'), share.enter('m')];
    await expect(share.enter('m')).rejects.toThrow('too many of m');
    const other = share.enter('a');
    leave();
    await Promise.all([...waiting, other].map(async (next) => (await next)()));
  });

  test('a step that waits no longer leaves the line and takes nothing of the share', async () => {
    const share = shareOf();
    const leave = await share.enter('m');
    const gone = new AbortController();
    const waiting = share.enter('m', { signal: gone.signal, cost: 1000 });
    const after = share.enter('m');
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(share.state().waiting).toBe(1);
    leave();
    (await after)();
    await expect(share.enter('m', { signal: gone.signal })).rejects.toThrow('gone');
    expect(share.state()).toEqual({ waiting: 0, active: 0, busiestShare: 0 });
  });

  test('a step that fails leaves its place', async () => {
    const share = shareOf();
    await expect(share.run('m', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(share.state().active).toBe(0);
  });

  test('a step takes as many places as it has size, up to what its tenant may have', async () => {
    const share = shareOf({ places: 10, placesPerTenant: 6 });
    const leave = await share.enter('m', { size: 4 });
    let entered = false;
    const second = share.enter('m', { size: 3 }).then((leaveSecond) => {
      entered = true;
      return leaveSecond;
    });
    const other = await share.enter('a', { size: 6 });
    expect(share.state()).toMatchObject({ active: 10, waiting: 1 });
    expect(entered).toBe(false);
    leave();
    other();
    (await second)();
    const huge = await share.enter('m', { size: 1000 });
    expect(share.state().active).toBe(6);
    huge();
  });

  test('small steps do not slip past a large one for ever', async () => {
    const share = shareOf({ places: 10, placesPerTenant: 10 });
    const leave = await share.enter('a', { size: 4 });
    const order: string[] = [];
    const large = share.enter('m', { size: 8 }).then((done) => (order.push('large'), done));
    const small = share.enter('b', { size: 1 }).then((done) => (order.push('small'), done));
    expect(share.state()).toMatchObject({ active: 4, waiting: 2 });
    leave();
    (await large)();
    (await small)();
    expect(order).toEqual(['large', 'small']);
  });

  test('a large step that waits no longer lets the small ones in', async () => {
    const share = shareOf({ places: 10, placesPerTenant: 10 });
    await share.enter('a', { size: 4 });
    const gone = new AbortController();
    const large = share.enter('m', { size: 8, signal: gone.signal });
    const small = share.enter('b', { size: 1 });
    gone.abort(new Error('gone'));
    await expect(large).rejects.toThrow('gone');
    await small;
    expect(share.state()).toMatchObject({ active: 5, waiting: 0 });
  });
});
