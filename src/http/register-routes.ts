import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseWith } from '../contract/parse.js';
import { shown } from '../contract/shown.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { Access } from '../domain/scopes.js';
import type { ApiRoute } from './api-route.js';
import { hasBody } from './drain-body.js';
import { parseInlineJson, parseJson, readJsonBytes } from './json-body.js';
import { sendList, type AnyListPage } from './answers/list-answer.js';
import type { ParseTurns } from './parse-turns.js';
import type { Places } from './places.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}

const noQuery = z.strictObject({});
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];

function toObject(body: unknown, optional: boolean): object {
  if (body === undefined && optional) return {};
  if (body === undefined) throw new EyrieError('missing_required_parameter', 'A JSON object is needed as the body.');
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new EyrieError('invalid_type', `The body must be a JSON object, not ${shown(body)}.`);
  return body;
}

/** The headers that a route knows, under the names it gives them; all others are none of its business. */
const pickHeaders = (schema: z.ZodObject, { headers }: FastifyRequest): Record<string, unknown> =>
  Object.fromEntries(Object.keys(schema.shape).map((name) => [name, headers[name.toLowerCase()]]));

/** What a body counts for before any of it was read. */
function declaredBytes({ headers }: FastifyRequest, bytesMax: number): number {
  const length = headers['content-length'];
  return Math.max(bounds.bodyBytesCounted, Math.min(length === undefined ? bytesMax : Number(length), bytesMax));
}

const noBody = { json: undefined, body: undefined };

/** The JSON body as it came, and as its schema has it. */
async function readBody(
  { inlineRequests, bodyBound, bodyOptional }: ApiRoute,
  schema: z.ZodType,
  request: FastifyRequest,
  reply: FastifyReply,
  turns: ParseTurns,
): Promise<{ readonly json: unknown; readonly body: unknown }> {
  const bytes = await readJsonBytes(request.raw, bodyBound);
  return turns.take(request.tenant, reply, bytes?.length ?? 0, async () => {
    const given = bytes ? await (inlineRequests ? parseInlineJson(bytes) : parseJson(bytes)) : undefined;
    const json = toObject(given, bodyOptional);
    return { json, body: parseWith(schema, json) };
  });
}

/** HEAD of a content reads none of it; of everything else it does the work of GET. */
const shareOf = ({ share }: ApiRoute, { method }: FastifyRequest): ApiRoute['share'] =>
  method === 'HEAD' && share === 'downloads' ? undefined : share;

function register(app: FastifyInstance, route: ApiRoute, places: Places, turns: ParseTurns): void {
  app.route({
    method: route.method === 'GET' ? ['GET', 'HEAD'] : route.method,
    url: route.path,
    config: { access: route.access },
    handler: (request, reply) => places.duringCall(reply, () => handle(request, reply)),
  });

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const query = parseWith(route.query ?? noQuery, request.query);
    const headers = route.headers ? parseWith(route.headers, pickHeaders(route.headers, request)) : {};
    if (route.body && hasBody(request.raw))
      await places.hold('bodies', request.tenant, reply, declaredBytes(request, bounds[route.bodyBound]));
    const { json, body } = route.body ? await readBody(route, route.body, request, reply, turns) : noBody;
    const params = request.params as Record<string, string>;
    const call = { tenant: request.tenant, params, query, headers, body, json, request, reply };
    const share = shareOf(route, request);
    if (!share) return route.handle(call);
    const leave = await places.hold(share, request.tenant, reply);
    const answer = await route.handle(call);
    if (share !== 'lists') return answer;
    // Of a list it is the reading that counts: its answer is bounded, and what is not taken of it is counted.
    leave();
    return sendList(reply, answer as AnyListPage);
  }
}

/** Every other method on a known path is told which ones there are. */
function refuseOtherMethods(app: FastifyInstance, path: string, routes: readonly ApiRoute[]): void {
  const allowed = routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  app.route({
    method: methods.filter((method) => !allowed.includes(method)),
    url: path,
    config: { access: routes.every(({ access }) => access === 'public') ? 'public' : 'any key' },
    handler: async (request, reply) => {
      void reply.header('allow', allowed.join(', '));
      throw new EyrieError('method_not_allowed', `${request.method} is not allowed here. Use ${allowed.join(' or ')}.`);
    },
  });
}

export function registerRoutes(
  app: FastifyInstance,
  routes: readonly ApiRoute[],
  places: Places,
  turns: ParseTurns,
): void {
  for (const route of routes) register(app, route, places, turns);
  for (const path of new Set(routes.map((route) => route.path)))
    refuseOtherMethods(
      app,
      path,
      routes.filter((route) => route.path === path),
    );
}
