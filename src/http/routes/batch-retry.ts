import { retryFailed } from '../../app/retry/retry-failed.js';
import type { World } from '../../app/world.js';
import { batchObject } from '../../contract/batch-object.js';
import { retryRequest } from '../../contract/retry-request.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { repeatHeaders, toRepeat } from '../repeat-headers.js';

export function batchRetryRoutes(world: World): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/batches/:batch_id/retry_failed',
      summary: 'Run the failed lines of an ended batch again, as a child batch',
      access: 'batches:write',
      share: 'changes',
      headers: repeatHeaders,
      body: retryRequest,
      bodyOptional: true,
      answer: batchObject,
      handle: ({ tenant, params, headers, body }) =>
        retryFailed(world, { tenant, batchId: params['batch_id'] ?? '', request: body, ...toRepeat(headers) }),
    }),
  ];
}
