import type { FastifyReply, FastifyRequest } from 'fastify';
import type { World } from '../app/world.js';
import { toErrorResponse } from './error-response.js';

export type SendError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/** Answers with an error, and logs it with its cause when it is ours. Headers set before, such as `retry-after`, stay. */
export function errorSender({ log }: Pick<World, 'log'>): SendError {
  return (error, request, reply) => {
    const { status, headers, body } = toErrorResponse(error, request.id);
    if (status >= 500) log.error('http.failed', { requestId: request.id, code: body.error.code }, error);
    for (const [name, value] of Object.entries(headers)) if (!reply.hasHeader(name)) void reply.header(name, value);
    void reply.code(status).send(body);
  };
}
