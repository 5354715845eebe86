import type { z } from 'zod';
import { acceptBatch } from '../../app/accept-batch.js';
import { cancelBatch } from '../../app/cancel-batch.js';
import { deleteBatch } from '../../app/delete-batch.js';
import { listBatches } from '../../app/list-batches.js';
import { viewBatch } from '../../app/view-batch.js';
import type { World } from '../../app/world.js';
import { batchObject } from '../../contract/batch-object.js';
import { createBatchRequest } from '../../contract/create-batch.js';
import { batchesQuery, deletedBatch, listOf } from '../../contract/list-query.js';
import { bounds } from '../../domain/bounds.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { repeatHeaders, toRepeat } from '../repeat-headers.js';

export function batchRoutes(world: World): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/batches',
      summary: 'Create a batch from an uploaded file, or from requests in the body',
      access: 'batches:write',
      headers: repeatHeaders,
      body: createBatchRequest,
      bodyBytesMax: bounds.inlineBodyBytesMax,
      answer: batchObject,
      handle: ({ tenant, headers, body }) => acceptBatch(world, { tenant, request: body, ...toRepeat(headers) }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/batches',
      summary: 'List batches',
      access: 'batches:read',
      query: batchesQuery,
      answer: listOf(batchObject),
      handle: ({ tenant, query }) => listBatches(world, tenant, { ...query, after: query.after ?? null }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/batches/:batch_id',
      summary: 'Show a batch',
      access: 'batches:read',
      answer: batchObject,
      handle: ({ tenant, params }) => viewBatch(world, tenant, params['batch_id'] ?? ''),
    }),
    defineRoute({
      method: 'POST',
      path: '/v1/batches/:batch_id/cancel',
      summary: 'Cancel a batch; what is finished is kept',
      access: 'batches:write',
      answer: batchObject,
      handle: ({ tenant, params }) => cancelBatch(world, tenant, params['batch_id'] ?? ''),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/v1/batches/:batch_id',
      summary: 'Delete an ended batch with its result files',
      access: 'batches:write',
      answer: deletedBatch,
      handle: async ({ tenant, params }): Promise<z.output<typeof deletedBatch>> => {
        const id = params['batch_id'] ?? '';
        await deleteBatch(world, tenant, id);
        return { id, object: 'batch', deleted: true };
      },
    }),
  ];
}
