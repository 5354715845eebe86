import { expect, test } from 'vitest';
import type { LostJobs } from '../../../../src/app/sweep/lost-jobs.js';
import { publishEvent } from '../../../../src/app/webhooks/publish-event.js';
import { DeliveryKeeper } from '../../../../src/app/webhooks/restore-deliveries.js';
import { sampleEvent } from '../../../../src/app/webhooks/sample-event.js';
import type { DeliveryJob } from '../../../../src/contract/queue-payload.js';
import type { Receiver } from '../../../../src/contract/stored-webhooks.js';
import { bounds } from '../../../../src/domain/bounds.js';
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
