import { viewDelivery } from '../../app/webhooks/find-delivery.js';
import { deliveriesOfBatch, listDeliveries } from '../../app/webhooks/list-deliveries.js';
import { replayDelivery } from '../../app/webhooks/replay-delivery.js';
import { sendTest, testShare } from '../../app/webhooks/send-test.js';
import type { FairShare } from '../../app/fair/fair-share.js';
import type { World } from '../../app/world.js';
import { listOf } from '../../contract/list-query.js';
import {
  deliveriesQuery,
  testWebhookRequest,
  webhookDeliveryObject,
  webhookDeliveryWithBody,
} from '../../contract/webhook-endpoint-object.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

const endpointPath = '/v1/webhook_endpoints/:endpoint_id';
const deliveryPath = `${endpointPath}/deliveries/:event_id`;

/** What was sent to endpoints, and sending it again. */
export function webhookDeliveryRoutes(world: World, changes: FairShare): ApiRoute[] {
  const tests = testShare(world);
  return [
    defineRoute({
      method: 'POST',
      path: `${endpointPath}/test`,
      summary: 'Send a signed sample event now and tell what came of it',
      access: 'webhooks:write',
      body: testWebhookRequest,
      bodyOptional: true,
      answer: webhookDeliveryObject,
      handle: ({ tenant, params, body }) =>
        tests.run(tenant, () => sendTest(world, tenant, params['endpoint_id'] ?? '', body.type)),
    }),
    defineRoute({
      method: 'GET',
      path: `${endpointPath}/deliveries`,
      summary: 'List what was sent to an endpoint, newest event first',
      access: 'webhooks:read',
      share: 'lists',
      query: deliveriesQuery,
      answer: listOf(webhookDeliveryObject),
      handle: ({ tenant, params, query }) =>
        listDeliveries(world.store, tenant, params['endpoint_id'] ?? '', {
          after: query.after ?? null,
          limit: query.limit,
        }),
    }),
    defineRoute({
      method: 'GET',
      path: deliveryPath,
      summary: 'Show a delivery with the body it sends',
      access: 'webhooks:read',
      answer: webhookDeliveryWithBody,
      handle: ({ tenant, params }) =>
        viewDelivery(world.store, tenant, params['endpoint_id'] ?? '', params['event_id'] ?? ''),
    }),
    defineRoute({
      method: 'POST',
      path: `${deliveryPath}/replay`,
      summary: 'Send an event again, with the same id',
      access: 'webhooks:write',
      answer: webhookDeliveryObject,
      handle: ({ tenant, params }) =>
        changes.run(tenant, () => replayDelivery(world, tenant, params['endpoint_id'] ?? '', params['event_id'] ?? '')),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/batches/:batch_id/deliveries',
      summary: "List who is told of a batch's end and how far that has come",
      access: 'webhooks:read',
      share: 'lists',
      answer: listOf(webhookDeliveryObject),
      handle: ({ tenant, params }) => deliveriesOfBatch(world, tenant, params['batch_id'] ?? ''),
    }),
  ];
}
