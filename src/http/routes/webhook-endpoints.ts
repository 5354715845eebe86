import { z } from 'zod';
import { createEndpoint } from '../../app/webhooks/create-endpoint.js';
import { deleteEndpoint } from '../../app/webhooks/delete-endpoint.js';
import { loadEndpoint } from '../../app/webhooks/endpoint-revisions.js';
import { pageOfEndpoints } from '../../app/webhooks/list-endpoints.js';
import { rotateSecret } from '../../app/webhooks/rotate-secret.js';
import { updateEndpoint } from '../../app/webhooks/update-endpoint.js';
import { toEndpointObject } from '../../app/webhooks/view-endpoint.js';
import type { FairShare } from '../../app/fair/fair-share.js';
import type { World } from '../../app/world.js';
import { listOf } from '../../contract/list-query.js';
import {
  createWebhookEndpointRequest,
  deletedWebhookEndpoint,
  newWebhookEndpointObject,
  rotateSecretRequest,
  updateWebhookEndpointRequest,
  webhookEndpointObject,
  webhookEndpointsQuery,
} from '../../contract/webhook-endpoint-object.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { retryHeader, toRetryCount } from '../retry-count.js';

const path = '/v1/webhook_endpoints';
const onePath = `${path}/:endpoint_id`;
const idOf = (params: Readonly<Record<string, string>>): string => params['endpoint_id'] ?? '';

/** Where a tenant's events go. Endpoints of the tenants file are the operator's and not among them. */
export function webhookEndpointRoutes(world: World, changes: FairShare): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path,
      summary: 'Make a webhook endpoint; the answer alone holds its secret',
      access: 'webhooks:write',
      headers: z.object(retryHeader),
      body: createWebhookEndpointRequest,
      answer: newWebhookEndpointObject,
      handle: ({ tenant, headers, body, reply }) => {
        void reply.header('cache-control', 'no-store');
        const retryCount = toRetryCount(headers['X-Stainless-Retry-Count']);
        return createEndpoint(world, { tenant, request: body, retryCount, changes });
      },
    }),
    defineRoute({
      method: 'GET',
      path,
      summary: 'List webhook endpoints, newest first',
      access: 'webhooks:read',
      share: 'lists',
      query: webhookEndpointsQuery,
      answer: listOf(webhookEndpointObject),
      handle: ({ tenant, query }) => pageOfEndpoints(world, tenant, { after: query.after ?? null, limit: query.limit }),
    }),
    defineRoute({
      method: 'GET',
      path: onePath,
      summary: 'Show a webhook endpoint',
      access: 'webhooks:read',
      answer: webhookEndpointObject,
      handle: async ({ tenant, params }) =>
        toEndpointObject(await loadEndpoint(world.store, tenant, idOf(params)), world.clock.now()),
    }),
    defineRoute({
      method: 'POST',
      path: onePath,
      summary: 'Change the URL, events, description or state of a webhook endpoint',
      access: 'webhooks:write',
      body: updateWebhookEndpointRequest,
      answer: webhookEndpointObject,
      handle: ({ tenant, params, body }) => updateEndpoint(world, tenant, idOf(params), body, changes),
    }),
    defineRoute({
      method: 'DELETE',
      path: onePath,
      summary: 'Delete a webhook endpoint; what is on its way to it is given up',
      access: 'webhooks:write',
      answer: deletedWebhookEndpoint,
      handle: async ({ tenant, params }) => {
        await changes.run(tenant, () => deleteEndpoint(world, tenant, idOf(params)));
        return { id: idOf(params), object: 'webhook_endpoint' as const, deleted: true as const };
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${onePath}/rotate_secret`,
      summary: 'Give a webhook endpoint a new secret; the previous one signs for another day, or as long as asked for',
      access: 'webhooks:write',
      body: rotateSecretRequest,
      bodyOptional: true,
      answer: newWebhookEndpointObject,
      handle: ({ tenant, params, body, reply }) => {
        void reply.header('cache-control', 'no-store');
        return changes.run(tenant, () => rotateSecret(world, tenant, idOf(params), body.previous_expires_after));
      },
    }),
  ];
}
