import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { KeyRing } from '../app/keys/key-ring.js';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { LogFields } from '../ports/log.js';
import { authenticate, callerOf, requireScope } from './authenticate.js';
import { watchBodyRate, type BodyRate } from './body-rate.js';
import { watchBodyShape } from './sockets/body-shape.js';
import { drainBody, hasBody, isComingIn } from './drain-body.js';
import type { SharedRateLimit } from './rate-limit.js';
import { RefusedKeys } from './refused-keys.js';
import type { SendError } from './send-error.js';
import type { LoopTurns } from './sockets/loop-turns.js';
import type { UnreadBytes } from './unread-bytes.js';
import { watchWhole } from './answers/watch-answer.js';

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
  readonly sendError: SendError;
  /** Counts the answers. */
  readonly unread: UnreadBytes;
  /** Of callers, for what is done piece by piece. */
  readonly turns: LoopTurns;
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

/** What Node checks by itself, with an answer of its own form. */
function checkWellFormed({ raw }: FastifyRequest): void {
  if (raw.httpVersion === '1.0') return;
  if (raw.headers.host === undefined)
    throw new EyrieError('invalid_value', 'The header `Host` is missing: send it, as HTTP/1.1 asks for.', {
      param: 'host',
    });
  const { expect } = raw.headers;
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    throw new EyrieError('expectation_failed', 'The header `Expect` may only be `100-continue`. Leave it out.', {
      param: 'expect',
    });
}

const tooSlow = (): EyrieError =>
  new EyrieError(
    'request_timeout',
    `The body arrived too slowly: at least ${bounds.bodyBytesPerSecondMin} bytes a second are needed. Send it again, faster.`,
    { bound: 'bodyBytesPerSecondMin' },
  );

const tooManyPieces = (): EyrieError =>
  new EyrieError(
    'invalid_value',
    `The body is sent in too many small chunks: beyond ${bounds.bodyPiecesFree} they must have ${bounds.bodyPieceBytesMin} bytes each in the mean, and more content than frame. Send larger chunks, or a Content-Length.`,
    { bound: 'bodyPieceBytesMin' },
  );

/**
 * Ends a request whose body is not to be waited for. The client gets to see why, unless it was answered already; then the
 * connection is closed, and with it whatever reads the body.
 */
function endRequest(request: FastifyRequest, reply: FastifyReply, sendError: SendError, reason: EyrieError): void {
  if (reply.sent || reply.raw.headersSent) {
    request.raw.destroy(reason);
    return;
  }
  reply.raw.once('close', () => request.raw.destroy(reason));
  void reply.header('connection', 'close');
  sendError(reason, request, reply);
}

function watchBody(request: FastifyRequest, reply: FastifyReply, { bodyRate, sendError }: RequestRules): void {
  watchBodyRate(request.raw, bodyRate, () => endRequest(request, reply, sendError, tooSlow()));
  watchBodyShape(request.raw, () => endRequest(request, reply, sendError, tooManyPieces()));
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
  const refusedKeys = new RefusedKeys(world.clock);
  app.decorateRequest('tenant', '');
  app.decorateRequest('keyId', null);
  app.decorateReply('ends', null);
  app.decorateReply('places', null);
  app.decorateReply('isKept', false);
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
    if (hasBody(request.raw)) watchBody(request, reply, rules);
    checkWellFormed(request);
    // A path that is not there may be asked for by everybody; a route that says nothing is open to nobody but an admin.
    const access = request.is404 ? 'public' : (request.routeOptions.config.access ?? 'admin');
    if (access === 'public') return;
    const caller = await authenticate(keyRing, refusedKeys, request);
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
  app.addHook('onSend', async (request, reply, payload) => {
    watchWhole(rules.unread, reply, payload);
    if (isComingIn(request.raw)) {
      const caller = callerOf(keyRing, request.raw);
      drainBody(request.raw, bounds.drainBytesMax, (step) => rules.turns.take(caller, step));
    }
    // An open connection would hold the shutdown up for as long as it is kept alive.
    if (closing) void reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const ms = Math.round(reply.elapsedTime);
    world.log.info('http.request', { ...fieldsOf(request), status: reply.statusCode, ms });
  });
  app.addHook('onRequestAbort', async (request) => world.log.info('http.client_gone', fieldsOf(request)));
}
