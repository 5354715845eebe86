import type { WebhookEventType } from '../../contract/webhook-event.js';
import type { WebhookDeliveryObject } from '../../contract/webhook-endpoint-object.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';
import { FairShare } from '../fair/fair-share.js';
import { loadEndpoint } from './endpoint-revisions.js';
import { loadDelivery } from './event-records.js';
import { publishEvent, queueFirstAttempts } from './publish-event.js';
import { sampleEvent } from './sample-event.js';
import { toDeliveryObject } from './view-delivery.js';

/** The outcome is looked for after this, and then after longer and longer pauses. */
const lookMsMin = 50;
const lookMsMax = 2000;

/** Shares the calls out among tenants: each holds a connection, and reads the store until its outcome is there. */
export const testShare = ({ tenants }: Pick<World, 'tenants'>): FairShare =>
  new FairShare({
    places: bounds.webhookTests,
    placesPerTenant: bounds.webhookTestsPerTenant,
    waitingPerTenant: bounds.webhookTestsWaitingPerTenant,
    tenants,
    refusal: () =>
      new EyrieError(
        'rate_limit_exceeded',
        `${bounds.webhookTestsPerTenant} test events are being sent and ${bounds.webhookTestsWaitingPerTenant} wait, and no more are allowed. Wait for their answers, which take ${bounds.webhookTestWaitMs / 1000} s at most each.`,
        { bound: 'webhookTestsWaitingPerTenant' },
      ),
  });

/**
 * Sends a signed sample of an event to an endpoint, enabled or not, by the way that real ones take, and waits for its outcome. It
 * is tried once. When nothing has come of it in time the delivery is returned as pending. Throws `not_found`.
 */
export async function sendTest(
  world: World,
  tenant: string,
  endpointId: string,
  type: WebhookEventType,
): Promise<WebhookDeliveryObject> {
  const { store, clock } = world;
  await loadEndpoint(store, tenant, endpointId);
  const createdMs = clock.now();
  const receiver = { kind: 'endpoint', id: endpointId } as const;
  const event = await publishEvent(world, {
    tenant,
    event: sampleEvent(world.ids.next('event'), type, createdMs),
    createdMs,
    batchId: null,
    receivers: [receiver],
    retry: 'once',
    test: true,
  });
  if (!event) throw new EyrieError('internal_error', 'A test event has a receiver.');
  await queueFirstAttempts(world, event);
  const until = clock.monotonic() + bounds.webhookTestWaitMs;
  for (let pauseMs = lookMsMin; ; pauseMs = Math.min(pauseMs * 2, lookMsMax)) {
    await clock.sleep(pauseMs);
    const delivery = await loadDelivery(store, event, receiver);
    if (delivery.state !== 'pending' || clock.monotonic() >= until) return toDeliveryObject(delivery);
  }
}
