import { expect, test } from 'vitest';
import { LostJobs } from '../../../../src/app/sweep/lost-jobs.js';
import { loadDelivery, saveDelivery } from '../../../../src/app/webhooks/event-records.js';
import { publishEvent, queueDeliveries } from '../../../../src/app/webhooks/publish-event.js';
import { DeliveryKeeper } from '../../../../src/app/webhooks/restore-deliveries.js';
import { sampleEvent } from '../../../../src/app/webhooks/sample-event.js';
import type { DeliveryJob } from '../../../../src/contract/queue-payload.js';
import type { Receiver } from '../../../../src/contract/stored-webhooks.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import type { Job } from '../../../../src/ports/job-queue.js';
import { fakeWorld, type FakeWorld } from '../../../support/fake-world.js';

const receivers = (count: number): Receiver[] =>
  Array.from({ length: count }, (_, n) => ({ kind: 'batch', id: `we_${n}`, url: 'https://example.com/' }));

async function publish(world: FakeWorld, tenant: string, count: number): Promise<void> {
  const createdMs = world.clock.now();
  const event = sampleEvent(world.ids.next('event'), 'batch.completed', createdMs);
  const rest = { createdMs, batchId: null, receivers: receivers(count), retry: 'schedule' } as const;
  await publishEvent(world, { tenant, event, ...rest });
}

test('a tenant with very many deliveries under way has a bounded part of each sweep, and all of them come to their turn', async () => {
  const world = fakeWorld();
  const events = 90;
  for (let n = 0; n < events; n++) await publish(world, 'mallory', 50);
  await publish(world, 'zoe', 1);
  const restored: Job[] = [];
  const lost = { restore: (_kind: string, jobs: readonly Job[]) => Promise.resolve(void restored.push(...jobs)) };
  const keeper = new DeliveryKeeper(world);
  const seen = new Set<string>();
  for (let sweep = 0; sweep < 9; sweep++) {
    restored.length = 0;
    await keeper.sweep(lost as unknown as LostJobs);
    const pointers = restored.map(({ payload }) => payload as DeliveryJob);
    // Those that are looked at side by side when the bound is reached are still done.
    expect(pointers.length).toBeLessThan(bounds.deliveriesPerSweep + (bounds.storeReadsAtOnce + 1) * 50);
    expect(pointers.filter(({ tenant }) => tenant === 'zoe')).toHaveLength(1);
    for (const { tenant, eventId } of pointers) if (tenant === 'mallory') seen.add(eventId);
    // All are due again.
    await world.clock.advance(31_000);
  }
  expect(seen.size).toBe(events);
});

test('of very many events a sweep lists a bounded number, and the next ones go on after them', async () => {
  const world = fakeWorld();
  const total = bounds.noticesPerSweep + 5000;
  // No events stand behind them: each costs a read.
  for (let n = 0; n < total; n++) {
    const name = String(n).padStart(6, '0');
    await world.store.put(keys.pendingNotice('mallory', name), Buffer.of());
  }
  await publish(world, 'zoe', 1);
  const keeper = new DeliveryKeeper(world);
  const lost = { restore: () => Promise.resolve(0) } as unknown as LostJobs;
  const listed = async (): Promise<number> => {
    world.store.calls.length = 0;
    await keeper.sweep(lost);
    return world.store.calls.filter(({ operation, key }) => operation === 'list' && key === 'notify/mallory/').length;
  };
  expect(await listed()).toBe(bounds.noticesPerSweep / bounds.storeListPageMax);
  expect(await listed(), 'the rest').toBe(5);
  expect(await listed()).toBe(bounds.noticesPerSweep / bounds.storeListPageMax);
});

test('an attempt that is due in an hour is queued when it is due soon, not before', async () => {
  const world = fakeWorld();
  const createdMs = world.clock.now();
  const event = sampleEvent(world.ids.next('event'), 'batch.completed', createdMs);
  const rest = { createdMs, batchId: null, receivers: receivers(1), retry: 'schedule' } as const;
  const stored = await publishEvent(world, { tenant: 'acme', event, ...rest });
  if (!stored) throw new Error('Nobody is told.');
  const dueMs = createdMs + 3_600_000;
  const delivery = {
    ...(await loadDelivery(world.store, stored, { kind: 'batch', id: 'we_0', url: '' })),
    nextMs: dueMs,
  };
  await saveDelivery(world.store, stored, delivery);
  await queueDeliveries(world, stored, [delivery]);
  const keeper = new DeliveryKeeper(world);
  const queued = async (): Promise<number> => {
    await keeper.sweep(new LostJobs(world));
    const { waiting, delayed } = await world.queue.backlog('deliver');
    return waiting + delayed;
  };
  expect(await queued()).toBe(0);
  await world.clock.advance(3_600_000 - bounds.webhookQueuedAheadMs - 1);
  expect(await queued()).toBe(0);
  await world.clock.advance(1);
  expect(await queued()).toBe(1);
});
