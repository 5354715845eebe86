import { readResults } from '../../app/read-results.js';
import type { World } from '../../app/world.js';
import { resultsPage, resultsQuery } from '../../contract/batch-results.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

/** The lines stand in the answer byte for byte: they are joined as they are, never parsed. */
function toPage(batchId: string, lines: readonly Uint8Array[], next: string | null): Buffer {
  const head = `{"object":"batch.results","batch_id":${JSON.stringify(batchId)},"data":[`;
  const tail = `],"next":${JSON.stringify(next)},"complete":${next === null}}`;
  const data = lines.flatMap((line, at) => (at === 0 ? [line] : [Buffer.from(','), line]));
  return Buffer.concat([Buffer.from(head), ...data, Buffer.from(tail)]);
}

export function batchResultRoutes(world: World): ApiRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/batches/:batch_id/results',
      summary: 'Read result lines in input order, also while the batch runs',
      access: 'batches:read',
      share: 'results',
      query: resultsQuery,
      answer: resultsPage,
      handle: async ({ tenant, params, query, reply }) => {
        const batchId = params['batch_id'] ?? '';
        const { lines, next } = await readResults(world, tenant, batchId, {
          after: query.after ?? null,
          limit: query.limit,
          merge: query.merge,
        });
        return reply.type('application/json; charset=utf-8').send(toPage(batchId, lines, next));
      },
    }),
  ];
}
