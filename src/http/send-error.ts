import type { FastifyReply, FastifyRequest } from 'fastify';
import type { World } from '../app/world.js';
import { EyrieError } from '../domain/errors.js';
import { toErrorResponse } from './error-response.js';

export type SendError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/** Answers with an error, and logs it with its cause when it is ours. Headers set before, such as `retry-after`, stay. */
export function errorSender({ log, refusals }: Pick<World, 'log' | 'refusals'>): SendError {
  return (error, request, reply) => {
    const { status, headers, body } = toErrorResponse(error, request.id);
    // What failed because its client has gone is no fault of ours.
    const isGone = reply.raw.destroyed && body.error.code === 'service_unavailable';
    if (status >= 500 && !isGone) log.error('http.failed', { requestId: request.id, code: body.error.code }, error);
    const bound = error instanceof EyrieError ? error.bound : null;
    if (bound !== null) refusals.note(request.tenant, bound);
    for (const [name, value] of Object.entries(headers)) if (!reply.hasHeader(name)) void reply.header(name, value);
    void reply.code(status).send(body);
  };
}
