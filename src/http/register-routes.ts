import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseWith } from '../contract/parse.js';
import { shown } from '../contract/shown.js';
import { EyrieError } from '../domain/errors.js';
import type { Access } from '../domain/scopes.js';
import type { ApiRoute } from './api-route.js';
import { readInlineBody, readJsonBody } from './json-body.js';

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

function register(app: FastifyInstance, route: ApiRoute): void {
  app.route({
    method: route.method === 'GET' ? ['GET', 'HEAD'] : route.method,
    url: route.path,
    config: { access: route.access },
    handler: async (request, reply) => {
      const query = parseWith(route.query ?? noQuery, request.query);
      const headers = route.headers ? parseWith(route.headers, pickHeaders(route.headers, request)) : {};
      const read = route.inlineRequests ? readInlineBody : readJsonBody;
      const json = route.body ? toObject(await read(request.raw, route.bodyBytesMax), route.bodyOptional) : undefined;
      const body = route.body ? parseWith(route.body, json) : undefined;
      const params = request.params as Record<string, string>;
      return route.handle({ tenant: request.tenant, params, query, headers, body, json, request, reply });
    },
  });
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

export function registerRoutes(app: FastifyInstance, routes: readonly ApiRoute[]): void {
  for (const route of routes) register(app, route);
  for (const path of new Set(routes.map((route) => route.path)))
    refuseOtherMethods(
      app,
      path,
      routes.filter((route) => route.path === path),
    );
}
