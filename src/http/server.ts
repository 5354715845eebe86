import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { authenticate } from './authenticate.js';
import { watchBodyRate, type BodyRate } from './body-rate.js';
import { answerClientError } from './client-error.js';
import { drainBody, hasBody } from './drain-body.js';
import { toErrorResponse } from './error-response.js';
import { registerRoutes } from './register-routes.js';
import { batchResultRoutes } from './routes/batch-results.js';
import { batchRoutes } from './routes/batches.js';
import { fileContentRoutes } from './routes/file-content.js';
import { fileRoutes } from './routes/files.js';
import { healthRoutes } from './routes/health.js';
import { modelRoutes } from './routes/models.js';
import { uploadRoutes } from './routes/uploads.js';

export interface ServerOptions {
  /** Largest upload, bytes. */
  readonly fileBytesMax?: number;
  readonly bodyRate?: BodyRate;
}

/**
 * The API server, not yet listening: `await server.listen({ host, port })`. It takes the world and nothing else, so a test can run
 * it over fakes.
 */
export function createServer(world: World, options: ServerOptions = {}): FastifyInstance {
  const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const { status, headers, body } = toErrorResponse(error, request.id);
    if (status >= 500) world.log.error('http.failed', { requestId: request.id, code: body.error.code }, error);
    void reply.code(status).headers(headers).send(body);
  };
  const app = Fastify({
    logger: false,
    genReqId: () => world.ids.next('request'),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    // During a shutdown, calls on open connections are still served, with "Connection: close".
    return503OnClosing: false,
    keepAliveTimeout: bounds.keepAliveMs,
    requestTimeout: bounds.requestMs,
    http: { maxHeaderSize: bounds.headerBytesMax },
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: (error, socket) => answerClientError(world, error, socket),
    frameworkErrors: (error, request, reply: FastifyReply) => sendError(error, request, reply),
  });
  // Routes read their bodies themselves: in one pass, within bounds, and with answers that reach a client that is still sending.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  void app.register(multipart);

  const bodyRate = options.bodyRate ?? { bytesPerSecondMin: bounds.bodyBytesPerSecondMin, graceMs: bounds.bodyGraceMs };
  app.decorateRequest('tenant', '');
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
    if (hasBody(request.raw)) watchBodyRate(request.raw, bodyRate);
    if (request.routeOptions.config.access === 'key') request.tenant = await authenticate(world, request);
  });
  app.addHook('onSend', async (request) => drainBody(request.raw, bounds.drainBytesMax));
  app.addHook('onResponse', async (request, reply) => {
    world.log.info('http.request', {
      requestId: request.id,
      tenant: request.tenant || null,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    });
  });
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request) => {
    const path = request.url.split('?', 1)[0]?.slice(0, 200) ?? '';
    throw new EyrieError('not_found', `There is no ${request.method} ${path} here.`);
  });

  registerRoutes(app, [
    ...healthRoutes(world),
    ...modelRoutes(world),
    ...fileRoutes(world, options.fileBytesMax ?? bounds.inputFileBytesMax),
    ...fileContentRoutes(world),
    ...uploadRoutes(world),
    ...batchRoutes(world),
    ...batchResultRoutes(world),
  ]);
  return app;
}
