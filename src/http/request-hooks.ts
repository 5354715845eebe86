import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { KeyRing } from '../app/keys/key-ring.js';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { LogFields } from '../ports/log.js';
import { authenticate, requireScope } from './authenticate.js';
import { watchBodyRate, type BodyRate } from './body-rate.js';
import { drainBody, hasBody } from './drain-body.js';
import type { SharedRateLimit } from './rate-limit.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Owner of the API key; empty on public routes. */
    tenant: string;
    /** Public id of the API key; null on public routes and for keys of the configuration. */
    keyId: string | null;
  }
}

export interface RequestRules {
  readonly rateLimit: SharedRateLimit;
  readonly bodyRate: BodyRate;
  /** Of a tenant; null = no limit. */
  readonly requestsPerMinute: (tenant: string) => number | null;
}

async function countRequest(
  limit: SharedRateLimit,
  perMinute: number,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const state = await limit.take(request.tenant, perMinute);
  void reply.headers({
    'x-ratelimit-limit-requests': state.limit,
    'x-ratelimit-remaining-requests': state.remaining,
    'x-ratelimit-reset-requests': `${state.resetSeconds}s`,
  });
  if (state.retryAfterSeconds === null) return;
  // Official clients obey whole seconds from 1 to 60.
  void reply.header('retry-after', Math.min(60, Math.max(1, state.retryAfterSeconds)));
  throw new EyrieError(
    'rate_limit_exceeded',
    `Too many requests: ${state.limit} per minute are allowed. Try again in ${state.retryAfterSeconds} s.`,
    { bound: 'requestsPerMinute' },
  );
}

const fieldsOf = (request: FastifyRequest): LogFields => ({
  requestId: request.id,
  tenant: request.tenant || null,
  keyId: request.keyId,
  method: request.method,
  route: request.routeOptions.url ?? null,
});

/** What happens around every request: its id, its key, its rate, and the rest of its body when the answer goes out early. */
export function addRequestHooks(app: FastifyInstance, world: World, keyRing: KeyRing, rules: RequestRules): void {
  app.decorateRequest('tenant', '');
  app.decorateRequest('keyId', null);
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
    if (hasBody(request.raw)) watchBodyRate(request.raw, rules.bodyRate);
    // A path that is not there may be asked for by everybody; a route that says nothing is open to nobody but an admin.
    const access = request.is404 ? 'public' : (request.routeOptions.config.access ?? 'admin');
    if (access === 'public') return;
    const caller = await authenticate(keyRing, request);
    request.tenant = caller.tenant;
    request.keyId = caller.keyId;
    const perMinute = rules.requestsPerMinute(caller.tenant);
    if (perMinute !== null) await countRequest(rules.rateLimit, perMinute, request, reply);
    if (access !== 'any key') requireScope(caller, access);
  });
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onSend', async (request, reply) => {
    drainBody(request.raw, bounds.drainBytesMax);
    // An open connection would hold the shutdown up for as long as it is kept alive.
    if (closing) void reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const ms = Math.round(reply.elapsedTime);
    world.log.info('http.request', { ...fieldsOf(request), status: reply.statusCode, ms });
  });
  app.addHook('onRequestAbort', async (request) => world.log.info('http.client_gone', fieldsOf(request)));
}
