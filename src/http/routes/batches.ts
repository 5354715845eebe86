import type { FastifyRequest } from 'fastify';
import { acceptBatch } from '../../app/accept-batch.js';
import { cancelBatch } from '../../app/cancel-batch.js';
import { listBatches } from '../../app/list-batches.js';
import { viewBatch } from '../../app/view-batch.js';
import type { World } from '../../app/world.js';
import { batchObject, createBatchRequest } from '../../contract/batch-object.js';
import { batchesQuery, listOf } from '../../contract/list-query.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

function idempotencyKey({ headers }: FastifyRequest): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || key === '' || key.length > bounds.idempotencyKeyCharsMax)
    throw new EyrieError('invalid_value', `It must have 1 to ${bounds.idempotencyKeyCharsMax} characters.`, {
      param: 'Idempotency-Key',
    });
  return key;
}

/** How often the client has sent this call before; the official clients count it themselves. */
function retryCount({ headers }: FastifyRequest): number {
  const count = Number(headers['x-stainless-retry-count'] ?? 0);
  return Number.isInteger(count) && count > 0 ? count : 0;
}

export function batchRoutes(world: World): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/batches',
      summary: 'Create a batch from an uploaded file',
      access: 'key',
      body: createBatchRequest,
      answer: batchObject,
      handle: ({ tenant, body, request }) =>
        acceptBatch(world, {
          tenant,
          request: body,
          idempotencyKey: idempotencyKey(request),
          retryCount: retryCount(request),
        }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/batches',
      summary: 'List batches, newest first',
      access: 'key',
      query: batchesQuery,
      answer: listOf(batchObject),
      handle: ({ tenant, query }) => listBatches(world, tenant, { after: query.after ?? null, limit: query.limit }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/batches/:batch_id',
      summary: 'Show a batch',
      access: 'key',
      answer: batchObject,
      handle: ({ tenant, params }) => viewBatch(world, tenant, params['batch_id'] ?? ''),
    }),
    defineRoute({
      method: 'POST',
      path: '/v1/batches/:batch_id/cancel',
      summary: 'Cancel a batch; what is finished is kept',
      access: 'key',
      answer: batchObject,
      handle: ({ tenant, params }) => cancelBatch(world, tenant, params['batch_id'] ?? ''),
    }),
  ];
}
