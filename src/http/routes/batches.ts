import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { acceptBatch } from '../../app/accept-batch.js';
import { cancelBatch } from '../../app/cancel-batch.js';
import { deleteBatch } from '../../app/delete-batch.js';
import { dryRun } from '../../app/dry-run.js';
import type { FairShare } from '../../app/fair/fair-share.js';
import type { LineRules } from '../../app/line/line-request.js';
import { listBatches } from '../../app/list-batches.js';
import { viewBatch } from '../../app/view-batch.js';
import type { FilesQuota } from '../../app/quotas/files-quota.js';
import type { World } from '../../app/world.js';
import { batchObject } from '../../contract/batch-object.js';
import { createBatchRequest, type CreateBatchRequest } from '../../contract/create-batch.js';
import { dryRunObject, type DryRunObject } from '../../contract/dry-run.js';
import { batchesQuery, deletedBatch, listOf } from '../../contract/list-query.js';
import { EyrieError } from '../../domain/errors.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { answerEnds, type Places } from '../places.js';
import { repeatHeaders, toRepeat } from '../repeat-headers.js';

function dryRunner(world: World, rulesOf: ((tenant: string) => LineRules) | null, share: FairShare) {
  return async (tenant: string, request: CreateBatchRequest, reply: FastifyReply): Promise<DryRunObject> => {
    if (!rulesOf)
      throw new EyrieError('unsupported_value', 'Dry runs are not offered here.', { param: 'eyrie.dry_run' });
    // Nothing is read for a client that has gone away.
    const signal = answerEnds(reply);
    return share.run(tenant, () => dryRun({ ...world, ...rulesOf(tenant) }, tenant, request, signal), { signal });
  };
}

export function batchRoutes(
  world: World,
  rulesOf: ((tenant: string) => LineRules) | null,
  dryRuns: FairShare,
  filesQuota: FilesQuota,
  places: Places,
): ApiRoute[] {
  const runDry = dryRunner(world, rulesOf, dryRuns);
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/batches',
      summary: 'Create a batch from an uploaded file, or from requests in the body',
      access: 'batches:write',
      headers: repeatHeaders,
      body: createBatchRequest,
      bodyBound: 'inlineBodyBytesMax',
      inlineRequests: true,
      answer: z.union([batchObject, dryRunObject]),
      handle: async ({ tenant, headers, body, reply }) => {
        if (body.eyrie?.dry_run === true)
          return runDry(tenant, body, reply).catch((error: unknown) => {
            if (reply.raw.destroyed) return reply.hijack(); // nobody is there to answer
            throw error;
          });
        await places.hold('changes', tenant, reply);
        return acceptBatch(world, { tenant, request: body, filesQuota, ...toRepeat(headers) });
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/batches',
      summary: 'List batches',
      access: 'batches:read',
      share: 'lists',
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
      share: 'changes',
      answer: batchObject,
      handle: ({ tenant, params }) => cancelBatch(world, tenant, params['batch_id'] ?? ''),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/v1/batches/:batch_id',
      summary: 'Delete an ended batch with its result files',
      access: 'batches:write',
      share: 'changes',
      answer: deletedBatch,
      handle: async ({ tenant, params }): Promise<z.output<typeof deletedBatch>> => {
        const id = params['batch_id'] ?? '';
        await deleteBatch(world, tenant, id);
        return { id, object: 'batch', deleted: true };
      },
    }),
  ];
}
