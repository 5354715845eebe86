import { expect, test } from 'vitest';
import { TenantLanes } from '../../../../src/app/fair/tenant-lanes.js';
import type { Job } from '../../../../src/ports/job-queue.js';

const job = (id: string, cost = 1): Job => ({ id, payload: {}, flow: { tenant: 'acme', cost, weight: 1 } });

test('so many jobs of a tenant are done at once; the others come back one by one, the smallest first', () => {
  const lanes = new TenantLanes({ perTenant: 2, remembered: 10 });
  expect(lanes.enter('mallory', job('a'))).toBe(true);
  expect(lanes.enter('mallory', job('b'))).toBe(true);
  expect(lanes.hasRoom('mallory')).toBe(false);
  for (const [id, cost] of [
    ['c', 9],
    ['d', 1],
    ['d', 1],
    ['e', 1],
  ] as const)
    expect(lanes.enter('mallory', job(id, cost))).toBe(false);
  expect(lanes.enter('alice', job('x'))).toBe(true);
  expect(lanes.leave('alice')).toBeNull();
  expect(lanes.leave('mallory')?.id).toBe('d');
  expect(lanes.hasRoom('mallory')).toBe(true);
  expect(lanes.leave('mallory')?.id).toBe('e');
  expect(lanes.enter('mallory', job('f'))).toBe(true);
  expect(lanes.leave('mallory')?.id).toBe('c');
  expect(lanes.leave('mallory')).toBeNull();
});

test('it remembers so many and forgets the others', () => {
  const lanes = new TenantLanes({ perTenant: 1, remembered: 2 });
  lanes.enter('acme', job('a'));
  for (const id of ['b', 'c', 'd']) lanes.enter('acme', job(id));
  expect([lanes.leave('acme')?.id, lanes.leave('acme')?.id, lanes.leave('acme')]).toEqual(['b', 'c', null]);
});
