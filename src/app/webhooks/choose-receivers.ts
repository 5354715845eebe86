import type { SubmitObject } from '../../contract/stored-objects.js';
import type { Receiver } from '../../contract/stored-webhooks.js';
import { terminalEvents, type WebhookEventType } from '../../contract/webhook-event.js';
import type { World } from '../world.js';
import { listEndpoints } from './endpoint-revisions.js';

const isTerminalEvent = (type: WebhookEventType): boolean => terminalEvents.some((known) => known === type);

/**
 * The tenant's endpoints that hear of such an event now: the enabled ones that name it. Those of the tenants file hear of the ends
 * of batches.
 */
export async function endpointsFor(
  world: Pick<World, 'store' | 'tenants'>,
  tenant: string,
  type: WebhookEventType,
): Promise<Receiver[]> {
  const [stored, configured] = await Promise.all([
    listEndpoints(world.store, tenant),
    isTerminalEvent(type) ? world.tenants.webhookEndpoints(tenant) : [],
  ]);
  return [
    ...configured.map(({ id }) => ({ kind: 'configured', id }) as const),
    ...stored
      .filter(({ disabled, events }) => disabled === null && events.includes(type))
      .map(({ id }) => ({ kind: 'endpoint', id }) as const),
  ];
}

/** Everybody who is told of a batch's end: endpoints, the URL that the batch named, and the outbox of a bucket drop. */
export async function receiversOfEnd(
  world: Pick<World, 'store' | 'tenants'>,
  submit: SubmitObject,
  type: WebhookEventType,
): Promise<Receiver[]> {
  return [
    ...(await endpointsFor(world, submit.tenant, type)),
    ...submit.webhooks.map(({ id, url }) => ({ kind: 'batch', id, url }) as const),
    ...(submit.outboxName === null ? [] : [{ kind: 'outbox', id: 'outbox' } as const]),
  ];
}
