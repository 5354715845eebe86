import { setTimeout as sleep } from 'node:timers/promises';
import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { FairGrammars } from '../app/grammars/fair-grammars.js';
import { KeyRing } from '../app/keys/key-ring.js';
import { FilesQuota } from '../app/quotas/files-quota.js';
import { changeShare } from '../app/webhooks/change-share.js';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { plainScopes, scopes } from '../domain/scopes.js';
import type { GrammarCompiler } from '../ports/grammars.js';
import type { ShareState } from '../ports/share-state.js';
import type { Tokenizer } from '../ports/tokenizer.js';
import type { ApiRoute } from './api-route.js';
import type { BodyRate } from './body-rate.js';
import { answerClientError, refuseConnection } from './client-error.js';
import { LiveCalls } from './live-calls.js';
import { SharedRateLimit } from './rate-limit.js';
import { registerRoutes } from './register-routes.js';
import { addRequestHooks } from './request-hooks.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { batchResultRoutes } from './routes/batch-results.js';
import { batchRetryRoutes } from './routes/batch-retry.js';
import { batchRoutes } from './routes/batches.js';
import { completionRoutes } from './routes/completions.js';
import { docsRoutes } from './routes/docs.js';
import { fileContentRoutes } from './routes/file-content.js';
import { fileRoutes } from './routes/files.js';
import { healthRoutes } from './routes/health.js';
import { modelRoutes } from './routes/models.js';
import { notOfferedRoutes } from './routes/not-offered.js';
import { reportRoutes } from './routes/reports.js';
import { tokenizerRoutes } from './routes/tokenizer.js';
import { uploadRoutes } from './routes/uploads.js';
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.js';
import { webhookEndpointRoutes } from './routes/webhook-endpoints.js';
import { errorSender } from './send-error.js';
import { ParseTurns } from './parse-turns.js';
import { Places } from './places.js';
import { apiShares, dryRunShare, type ApiShares } from './shares.js';
import { Connections, type ConnectionRules } from './sockets/connections.js';
import { LoopTurns } from './sockets/loop-turns.js';
import { paceRequests } from './sockets/pace-requests.js';
import { UnreadBytes } from './unread-bytes.js';

export interface ServerOptions {
  /** Shown in the API document; absent: it says `unknown`. */
  readonly version?: string;
  /** Largest upload, bytes. */
  readonly fileBytesMax?: number;
  readonly bodyRate?: BodyRate;
  /** How the server treats its connections; what is absent is as the bounds say. */
  readonly connections?: Partial<ConnectionRules> & { readonly headersMs?: number; readonly lookMs?: number };
  /** Places of tenants in place of those that the bounds say. */
  readonly shares?: ApiShares;
  /** Is given all that tenants share, to look at. */
  readonly watchShares?: (shares: Readonly<Record<string, { state(): ShareState }>>) => void;
  /** In place of every tenant's quota; null = no limit. */
  readonly requestsPerMinute?: number | null;
  /** null: `/tokenize` and its companions are not offered. */
  readonly tokenizer?: Tokenizer | null;
  /** null here or above: dry runs and calls that wait for their answer are not offered. */
  readonly grammars?: GrammarCompiler | null;
  /** The keys of the configuration may make and revoke keys of their own tenant. */
  readonly configuredKeysAdmin?: boolean;
}

/** What is measured is this process' event loop, whatever clock the steps have. */
const loopClock = {
  monotonic: () => performance.now(),
  sleep: (ms: number) => sleep(ms, undefined, { ref: false }),
};

function allRoutes(
  world: World,
  keyRing: KeyRing,
  calls: LiveCalls,
  filesQuota: FilesQuota,
  shares: ApiShares,
  places: Places,
  turns: LoopTurns,
  parseTurns: ParseTurns,
  unread: UnreadBytes,
  options: ServerOptions,
): ApiRoute[] {
  const { tokenizer = null, grammars = null, fileBytesMax = bounds.inputFileBytesMax, version = 'unknown' } = options;
  const changes = changeShare(world);
  const rules = tokenizer && grammars && { model: world.model, tokenizer };
  const fair = grammars && new FairGrammars(grammars, world.tenants);
  const dryRuns = dryRunShare(world);
  options.watchShares?.({
    ...shares,
    ...(fair ? { grammars: fair } : {}),
    dry_runs: dryRuns,
    large_answers: calls.largeAnswers,
    webhook_changes: changes,
  });
  const forFile = rules && fair && ((tenant: string) => ({ ...rules, grammars: fair.ofFile(tenant) }));
  const forCall =
    rules && fair && ((tenant: string, signal: AbortSignal) => ({ ...rules, grammars: fair.ofCall(tenant, signal) }));
  const routes = [
    ...modelRoutes(world),
    ...fileRoutes(world, fileBytesMax, filesQuota),
    ...fileContentRoutes(world, places, turns),
    ...uploadRoutes(world, filesQuota),
    ...batchRoutes(world, forFile, dryRuns, filesQuota, places),
    ...batchResultRoutes(world),
    ...batchRetryRoutes(world),
    ...(forCall ? completionRoutes(world, forCall, calls, parseTurns, unread) : []),
    ...(tokenizer ? tokenizerRoutes(world.model, tokenizer, parseTurns) : []),
    ...webhookEndpointRoutes(world, changes),
    ...webhookDeliveryRoutes(world, changes),
    ...reportRoutes(world),
    ...apiKeyRoutes(world, keyRing),
    ...healthRoutes(world),
  ];
  return [...routes, ...docsRoutes(routes, version), ...notOfferedRoutes()];
}

/**
 * The API server, not yet listening: `await server.listen({ host, port })`. It takes the world and nothing else, so a test can run
 * it over fakes.
 */
export function createServer(world: World, options: ServerOptions = {}): FastifyInstance {
  const { connections = {} } = options;
  const sendError = errorSender(world);
  const app = Fastify({
    logger: false,
    genReqId: () => world.ids.next('request'),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    // During a shutdown, calls on open connections are still served, with "Connection: close".
    return503OnClosing: false,
    keepAliveTimeout: bounds.keepAliveMs,
    requestTimeout: bounds.requestMs,
    http: {
      maxHeaderSize: bounds.headerBytesMax,
      headersTimeout: connections.headersMs ?? bounds.headersMs,
      connectionsCheckingInterval: connections.lookMs ?? bounds.connectionsLookMs,
      // Checked by the hooks, so that the answer has the form of all others.
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: (error, socket) => answerClientError(world, error, socket),
    frameworkErrors: (error, request, reply: FastifyReply) => sendError(error, request, reply),
  });
  // Routes read their bodies themselves: in one pass, within bounds, and with answers that reach a client that is still sending.
  // No route has it; without this, asking for it would be no request at all instead of a refused one.
  app.addHttpMethod('QUERY');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  void app.register(multipart);
  const keyRing = new KeyRing(world, options.configuredKeysAdmin === true ? scopes : plainScopes);
  const unread = new UnreadBytes((tenant, bound) => world.refusals.note(tenant, bound));
  const turns = new LoopTurns({ perTurn: bounds.stepsPerTurn, connectingMs: bounds.stepWhileConnectingMs });
  addRequestHooks(app, world, keyRing, {
    sendError,
    unread,
    turns,
    rateLimit: new SharedRateLimit(world.quickShared, world.clock),
    bodyRate: options.bodyRate ?? { bytesPerSecondMin: bounds.bodyBytesPerSecondMin, graceMs: bounds.bodyGraceMs },
    requestsPerMinute: (tenant) =>
      options.requestsPerMinute === undefined
        ? world.tenants.quotas(tenant).requestsPerMinute
        : options.requestsPerMinute,
  });
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request) => {
    const path = request.url.split('?', 1)[0]?.slice(0, 200) ?? '';
    throw new EyrieError('not_found', `There is no ${request.method} ${path} here. GET /docs lists what there is.`);
  });
  const calls = new LiveCalls(world);
  paceRequests(app.server, world, keyRing, turns);
  const open = new Connections(
    app.server,
    {
      max: connections.max ?? bounds.connectionsMax,
      lingerMs: connections.lingerMs ?? bounds.lingerMs,
      readerRate: connections.readerRate ?? {
        bytesPerSecondMin: bounds.readerBytesPerSecondMin,
        graceMs: bounds.readerGraceMs,
      },
    },
    {
      onCut: (reason) => world.refusals.note('', reason === 'room' ? 'connectionsMax' : 'readerBytesPerSecondMin'),
      refuse: (socket) => refuseConnection(world, socket),
    },
  );
  // Node would answer what no server expects by itself; the hooks do.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.addHook('preClose', async () => {
    open.closeSilent();
    void calls.close();
  });
  const shares = options.shares ?? apiShares(world);
  const places = new Places(world, shares);
  const parseTurns = new ParseTurns(shares.parses, loopClock);
  const filesQuota = new FilesQuota(world);
  const routes = allRoutes(world, keyRing, calls, filesQuota, shares, places, turns, parseTurns, unread, options);
  registerRoutes(app, routes, places, parseTurns);
  return app;
}
