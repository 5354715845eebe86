import { createEndpoint } from '../../src/app/webhooks/create-endpoint.js';
import { changeShare } from '../../src/app/webhooks/change-share.js';
import type { World } from '../../src/app/world.js';
import {
  createWebhookEndpointRequest,
  type NewWebhookEndpointObject,
} from '../../src/contract/webhook-endpoint-object.js';
import type { WebhookPost } from '../../src/ports/webhook-sender.js';

/** Makes an endpoint as the API does, with its defaults. */
export function makeEndpoint(
  world: World,
  tenant: string,
  request: Readonly<Record<string, unknown>> = {},
): Promise<NewWebhookEndpointObject> {
  const parsed = createWebhookEndpointRequest.parse({ url: 'https://example.com/stored', ...request });
  return createEndpoint(world, { tenant, request: parsed, retryCount: 0, changes: changeShare(world) });
}

export interface SentEvent {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly id: string } & Readonly<Record<string, unknown>>;
}

export const eventOf = ({ body }: WebhookPost): SentEvent => JSON.parse(body) as SentEvent;
