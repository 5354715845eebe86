import { expect, test } from 'vitest';
import { sweepByTenant, tenantsBelow } from '../../../../src/app/sweep/by-tenant.js';
import { SweepTurns } from '../../../../src/app/sweep/sweep-turns.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { fakeWorld } from '../../../support/fake-world.js';

const options = { prefix: 'uploads/', failed: 'upload.sweep_failed' };

async function worldOf(entries: Readonly<Record<string, number>>) {
  const world = fakeWorld();
  for (const [tenant, count] of Object.entries(entries))
    for (let n = 0; n < count; n++) await world.store.put(`uploads/${tenant}/${n}`, Buffer.of());
  world.store.calls.length = 0;
  return world;
}

test('tenants are found each once, past all that one of them has', async () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`t${n}`, 1]));
  const { store } = await worldOf({ ...many, acme: 3000, 'acme-1': 1, acme0: 1, acme_: 1, 'Not a tenant': 200 });
  const found: string[] = [];
  for await (const tenant of tenantsBelow(store, 'uploads/')) found.push(tenant);
  expect(found.toSorted()).toEqual([...Object.keys(many), 'acme', 'acme-1', 'acme0', 'acme_'].toSorted());
  expect(store.calls.length).toBeLessThan(10);
});

test('a tenant with more gets further turns, for a time; the others do not wait for them', async () => {
  const world = await worldOf({ mallory: 1, zoe: 1 });
  const turns: string[] = [];
  const sweep = sweepByTenant(world, options, async (tenant, after) => {
    turns.push(`${tenant} ${after}`);
    await world.clock.sleep(tenant === 'zoe' ? 1 : 10_000);
    return tenant === 'zoe' ? null : String(turns.length);
  });
  await world.clock.advance(bounds.sweepTurnsMs + 10_000);
  await sweep;
  expect(turns.slice(0, 3)).toEqual(['mallory null', 'zoe null', 'mallory 2']);
  expect(turns).toHaveLength(1 + bounds.sweepTurnsMs / 10_000);
});

test('a tenant that cannot be swept keeps no other from its turn', async () => {
  const world = await worldOf({ mallory: 1, zoe: 1 });
  const swept: string[] = [];
  await sweepByTenant(world, options, async (tenant) => {
    if (tenant === 'mallory') throw new Error('Damaged.');
    swept.push(tenant);
    return Promise.resolve(null);
  });
  expect(swept).toEqual(['zoe']);
  expect(world.log.of('upload.sweep_failed')).toMatchObject([{ fields: { tenant: 'mallory' } }]);
});

test('steps of a tenant are done side by side, within its share', async () => {
  const world = await worldOf({ mallory: 1 });
  let [active, most] = [0, 0];
  const sweep = sweepByTenant(world, options, async (_tenant, _after, each) => {
    await each(Array.from({ length: 100 }).keys(), async () => {
      most = Math.max(most, ++active);
      await world.clock.sleep(10);
      active--;
    });
    return null;
  });
  await world.clock.advance(1000);
  await sweep;
  expect(most).toBe(bounds.sweepStepsPerTenant);
});

test('turns of a sweep are bounded by tenant, and the next sweep goes on behind what was reached', () => {
  const turns = new SweepTurns(3);
  const sweep = (tenant: string, count: number): string[] => {
    const admitted = Array.from({ length: count }, (_, n) => `k${n}`).filter((key) => {
      if (!turns.admits(tenant, key)) return false;
      turns.used(tenant, 1);
      return true;
    });
    return admitted;
  };
  turns.begin();
  expect(sweep('mallory', 7)).toEqual(['k0', 'k1', 'k2']);
  expect(sweep('zoe', 2)).toEqual(['k0', 'k1']);
  turns.begin();
  expect(sweep('mallory', 7)).toEqual(['k3', 'k4', 'k5']);
  expect(sweep('zoe', 2)).toEqual(['k0', 'k1']);
  turns.begin();
  expect(sweep('mallory', 7)).toEqual(['k6']);
  turns.begin();
  expect(sweep('mallory', 7)).toEqual(['k0', 'k1', 'k2']);
});
