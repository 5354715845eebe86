import { expect, test } from 'vitest';
import { DeliveryLanes } from '../../../../../src/app/webhooks/lanes/delivery-lanes.js';
import { copyRules, postRules } from '../../../../../src/app/webhooks/lanes/lane-rules.js';
import type { DeliveryJob } from '../../../../../src/contract/queue-payload.js';
import { bounds } from '../../../../../src/domain/bounds.js';

const hung = postRules.slowMs + 10_000;
let made = 0;
const pointer = (tenant: string, receiverId: string): DeliveryJob => ({
  tenant,
  receiverId,
  eventId: `evt_${made++}`,
  attempt: 0,
});
const lanesOf = (rules = postRules, weightOf: (tenant: string) => number = () => 1) =>
  new DeliveryLanes(rules, weightOf);

/** Deliveries that hang: their ends. Tries each receiver so often. */
function hang(lanes: DeliveryLanes, tenant: string, receivers: number, each = 8): ((ms: number) => void)[] {
  return Array.from({ length: receivers * each }, (_, at) =>
    lanes.enter(pointer(tenant, `r${at % receivers}`)),
  ).flatMap((entered) => (typeof entered === 'string' ? [] : [entered]));
}

const prove = (lanes: DeliveryLanes, tenant: string, receiver: string): void => {
  const entered = lanes.enter(pointer(tenant, receiver));
  if (typeof entered === 'function') entered(50);
};

test('however many endpoints of however many tenants hang, another tenant finds a place at once', () => {
  for (const attackers of [1, 4, 20, 60]) {
    const lanes = lanesOf();
    for (let round = 0; round < 3; round++) for (let n = 0; n < attackers; n++) hang(lanes, `mallory${n}`, 50);
    expect(typeof lanes.enter(pointer('alice', 'healthy')), `${attackers} attackers`).toBe('function');
    expect(lanes.state().busiestShare).toBeLessThanOrEqual(bounds.webhookPostsPerTenant / lanes.state().active + 0.01);
  }
});

test('one tenant has its places and no more, one endpoint its own', () => {
  const lanes = lanesOf();
  for (let n = 0; n < 40; n++) prove(lanes, 'mallory', `r${n}`);
  expect(hang(lanes, 'mallory', 1)).toHaveLength(bounds.webhookPostsPerEndpoint);
  hang(lanes, 'mallory', 40);
  expect(lanes.state().active).toBe(bounds.webhookPostsPerTenant);
});

test("a tenant's endpoints that hang leave places for those that answer", () => {
  const lanes = lanesOf();
  prove(lanes, 'acme', 'healthy');
  const ends = hang(lanes, 'acme', 50);
  expect(ends).toHaveLength(bounds.webhookPostsPerTenant / 2);
  for (let n = 0; n < bounds.webhookPostsPerEndpoint; n++)
    expect(typeof lanes.enter(pointer('acme', 'healthy'))).toBe('function');
  // Slow once, and it is one of the others.
  for (const end of ends) end(hung);
  expect(hang(lanes, 'acme', 1)).toHaveLength(bounds.webhookPostsPerUnproven);
});

test('what waits is given back in turn by receiver, one of each tenant that has room', () => {
  const lanes = lanesOf();
  const ends = hang(lanes, 'acme', 4, 5);
  expect(ends).toHaveLength(8);
  expect(lanes.state()).toMatchObject({ waiting: 12, active: 8 });
  expect(lanes.takeNext()).toEqual([]);
  for (const end of ends) end(100);
  const receivers = Array.from(
    { length: 4 },
    () => (lanes.takeNext()[0]?.payload as DeliveryJob | undefined)?.receiverId,
  );
  expect(new Set(receivers).size).toBe(4);
  expect(lanes.state().waiting).toBe(8);
});

test('a delivery that comes twice waits once, and is not done beside itself', () => {
  const lanes = lanesOf();
  const ends = hang(lanes, 'acme', 1);
  const twice = pointer('acme', 'r0');
  const before = lanes.state().waiting;
  expect(lanes.enter(twice)).toBe('waits');
  expect(lanes.enter(twice)).toBe('waits');
  expect(lanes.state().waiting).toBe(before + 1);
  for (const end of ends) end(100);
  expect(typeof lanes.enter(twice)).toBe('function');
  expect(lanes.state().waiting).toBe(before);
  expect(lanes.enter(twice)).toBe('under way');
});

test('a tenant waits within its bound, and its longest lane makes way for the others', () => {
  const lanes = lanesOf();
  hang(lanes, 'acme', 10, 10);
  for (let n = 0; n < 2 * bounds.webhookWaitingPerTenant; n++) lanes.enter(pointer('acme', 'r0'));
  expect(lanes.state().waiting).toBe(bounds.webhookWaitingPerTenant);
  expect(lanes.enter(pointer('acme', 'r0'))).toBe('forgotten');
  const healthy = Array.from({ length: 20 }, () => pointer('acme', 'healthy'));
  for (const one of healthy) lanes.enter(one);
  expect(lanes.state().waiting).toBe(bounds.webhookWaitingPerTenant);
});

test('nothing is remembered of a tenant whose deliveries never got through', () => {
  const lanes = lanesOf();
  for (const end of hang(lanes, 'acme', 3)) end(hung);
  for (;;) {
    const [job] = lanes.takeNext();
    if (!job) break;
    const entered = lanes.enter(job.payload as DeliveryJob);
    if (typeof entered === 'function') entered(hung);
  }
  expect(lanes.state()).toEqual({ waiting: 0, active: 0, busiestShare: 0 });
});

test('a weight is a larger share, never all of the places', () => {
  const weights: Record<string, number> = { heavy: 2, huge: 100, tiny: 0.01 };
  const active = (tenant: string): number => {
    const lanes = lanesOf(postRules, (name) => weights[name] ?? 1);
    for (let n = 0; n < 100; n++) prove(lanes, tenant, `r${n}`);
    hang(lanes, tenant, 100);
    return lanes.state().active;
  };
  expect(active('heavy')).toBeGreaterThan(1.5 * bounds.webhookPostsPerTenant);
  expect(active('huge')).toBeLessThanOrEqual(bounds.webhookPosts / 8);
  expect(active('tiny')).toBe(1);
});

test('copies have rules of their own', () => {
  const lanes = lanesOf(copyRules);
  expect(hang(lanes, 'acme', 1)).toHaveLength(bounds.outboxCopiesPerTenant);
});
