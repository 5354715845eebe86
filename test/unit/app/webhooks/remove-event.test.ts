import { expect, test } from 'vitest';
import { sweepRetention } from '../../../../src/app/retention/sweep-retention.js';
import { publishEvent } from '../../../../src/app/webhooks/publish-event.js';
import { sampleEvent } from '../../../../src/app/webhooks/sample-event.js';
import type { WebhookEventType } from '../../../../src/contract/webhook-event.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { fakeWorld } from '../../../support/fake-world.js';

test('events that no batch keeps are removed after their time with their deliveries, when they were told', async () => {
  const world = fakeWorld();
  const { store, clock } = world;
  const publish = async (type: WebhookEventType, isTest: boolean): Promise<string> => {
    const event = sampleEvent(world.ids.next('event'), type, clock.now());
    const receivers = [{ kind: 'endpoint', id: world.ids.next('endpoint') } as const];
    const rest = { tenant: 'acme', createdMs: clock.now(), batchId: null, receivers, retry: 'once' } as const;
    await publishEvent(world, { ...rest, event, test: isTest });
    return event.id;
  };
  const tried = await publish('batch.completed', true);
  const rejected = await publish('inbox.rejected', false);
  const end = await publish('batch.completed', false);
  const present = async (): Promise<string[]> => {
    await sweepRetention(world);
    return [tried, rejected, end].filter((id) => store.text(keys.webhookEvent('acme', id)) !== null);
  };
  for (const id of [rejected, end]) await store.delete(keys.pendingNotice('acme', id));
  await clock.advance(bounds.webhookTestKeptMs + 1000);
  expect(await present(), 'not told yet').toEqual([tried, rejected, end]);
  await store.delete(keys.pendingNotice('acme', tried));
  await clock.advance(bounds.removalRetryMs + 1000);
  expect(await present()).toEqual([rejected, end]);
  await clock.advance(bounds.webhookEventKeptMs);
  expect(await present()).toEqual([end]);
  expect(store.keys().filter((key) => key.includes('/deliveries/'))).toHaveLength(1);
  expect(store.keys().filter((key) => key.startsWith('agenda/'))).toEqual([]);
});
