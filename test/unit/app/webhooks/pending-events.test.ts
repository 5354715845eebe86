import { expect, test } from 'vitest';
import { listDeliveries } from '../../../../src/app/webhooks/list-deliveries.js';
import { publishEvent } from '../../../../src/app/webhooks/publish-event.js';
import { replayDelivery } from '../../../../src/app/webhooks/replay-delivery.js';
import { sampleEvent } from '../../../../src/app/webhooks/sample-event.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { fakeWorld } from '../../../support/fake-world.js';

test('events beyond what a tenant may have waiting are given up; they are shown, and can be replayed when there is room', async () => {
  const world = fakeWorld();
  const { store, clock } = world;
  const publish = async (tenant: string) => {
    const createdMs = clock.now();
    const event = sampleEvent(world.ids.next('event'), 'batch.completed', createdMs);
    const receivers = [{ kind: 'batch', id: 'whk_1', url: 'https://example.com/' }] as const;
    const rest = { createdMs, batchId: null, receivers, retry: 'schedule' } as const;
    return { id: event.id, published: await publishEvent(world, { tenant, event, ...rest }) };
  };
  const notices = (): readonly string[] => store.keys().filter((key) => key.startsWith(keys.pendingNoticesOf('acme')));
  for (let n = 0; n < bounds.webhookPendingEventsMax; n++)
    await store.put(keys.pendingNotice('acme', `evt_${n}`), Buffer.of());
  const { id, published } = await publish('acme');
  expect(published).toBeNull();
  expect(notices()).toHaveLength(bounds.webhookPendingEventsMax);
  expect(world.refusals.counts().get('webhookPendingEventsMax')).toBe(1);
  const shown = await listDeliveries(store, 'acme', 'whk_1', { after: null, limit: 10 });
  expect(shown.data).toMatchObject([{ id, state: 'failed', reason: expect.stringContaining('replay') as string }]);
  expect((await publish('zoe')).published, 'another tenant').not.toBeNull();
  await expect(replayDelivery(world, 'acme', 'whk_1', id)).rejects.toMatchObject({
    code: 'rate_limit_exceeded',
    bound: 'webhookPendingEventsMax',
  });

  for (const key of notices().slice(0, 10)) await store.delete(key);
  await clock.advance(bounds.webhookPendingCountedMs);
  expect(await replayDelivery(world, 'acme', 'whk_1', id)).toMatchObject({ state: 'pending' });
  expect(notices()).toContain(keys.pendingNotice('acme', id));
  for (let n = 0; n < 20; n++) await publish('acme');
  expect(notices()).toHaveLength(bounds.webhookPendingEventsMax);
});
