import { Readable } from 'node:stream';
import { callLive } from '../../app/live/call-live.js';
import type { LiveNews } from '../../app/live/call-worker.js';
import { checkLineRequest, lineSize, type LineRules } from '../../app/line/line-request.js';
import { checkLiveSize, checkPromptTokens, checkSequences } from '../../app/live/live-size.js';
import type { World } from '../../app/world.js';
import { chatEvent, chatObject } from '../../contract/chat-object.js';
import { chatRequest } from '../../contract/chat-request.js';
import { completionEvent, completionObject } from '../../contract/completion-object.js';
import { completionRequest } from '../../contract/completion-request.js';
import type { LiveRequest } from '../../contract/live-message.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import type { Endpoint } from '../../domain/served-model.js';
import type { ObjectBody } from '../../ports/object-store.js';
import { defineRoute, type ApiCall, type ApiRoute } from '../api-route.js';
import { checkModel } from '../check-model.js';
import { toErrorResponse } from '../error-response.js';
import { eventStreamHeaders, toEventStream, type StreamNews } from '../event-stream.js';
import type { LiveCalls } from '../live-calls.js';
import type { ParseTurns } from '../parse-turns.js';
import type { UnreadBytes } from '../unread-bytes.js';
import { watchStream } from '../answers/watch-answer.js';

type GenerateCall = ApiCall<unknown, unknown, { readonly model: string }>;
/** What bodies of a tenant are checked with, until the signal aborts. */
type RulesOf = (tenant: string, signal: AbortSignal) => LineRules;

async function* putBack(first: StreamNews, rest: AsyncIterable<LiveNews>): AsyncGenerator<StreamNews> {
  yield first;
  for await (const news of rest) if (news.kind !== 'answer' && news.kind !== 'large answer') yield news;
}

/**
 * All that is wrong with a request is said here, before any worker is woken: the same checks as for a line of a batch, and the
 * narrower bounds of a call that waits. Returns the tokens that it may take.
 */
async function check(rules: LineRules, request: LiveRequest, model: string): Promise<number> {
  checkModel(rules.model, model);
  checkSequences(request.body);
  const line = await checkLineRequest({ customId: '', endpoint: request.endpoint, body: request.body }, rules);
  checkLiveSize(line);
  return lineSize(line).tokens;
}

/** Passes a large answer on as the client takes it. Cut off when that takes too long. */
async function sendLarge(
  world: World,
  calls: LiveCalls,
  { tenant, request: { id: requestId }, reply }: GenerateCall,
  news: AsyncGenerator<LiveNews>,
  open: () => Promise<ObjectBody>,
  signal: AbortSignal,
): Promise<unknown> {
  const leave = await calls.largeAnswers.enter(tenant, { signal });
  // The signal aborts with the connection, whatever became of the answer.
  const end = (): void => {
    leave();
    void news.return(undefined);
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  const { info, body } = await open();
  const stream = Readable.from(body, { objectMode: false });
  stream.on('error', (error) => world.log.warn('http.answer_failed', { requestId, code: errorCode(error) }));
  void world.clock.sleep(bounds.liveLargeAnswerMs, signal).then(() => stream.destroy());
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': info.bytes };
  return reply.headers(headers).send(stream);
}

async function answer(
  world: World,
  rulesOf: RulesOf,
  calls: LiveCalls,
  turns: ParseTurns,
  unread: UnreadBytes,
  endpoint: Endpoint,
  call: GenerateCall,
): Promise<unknown> {
  const { tenant, body, json, request, reply } = call;
  const live: LiveRequest = { v: 1, endpoint, body: json as Record<string, unknown> };
  const signal = calls.open(tenant, reply);
  const rules: LineRules = {
    ...rulesOf(tenant, signal),
    tenant,
    inTurn: (chars, step) => turns.takeForText(tenant, reply, chars, step),
    checkPrompts: checkPromptTokens,
  };
  const cost = await check(rules, live, body.model);
  const news = callLive(world, tenant, live, cost, signal);
  let first;
  try {
    // Until something has come, an error still has a status of its own.
    first = await news.next();
    if (first.value?.kind === 'large answer')
      return await sendLarge(world, calls, call, news, first.value.open, signal);
  } catch (error) {
    if (reply.raw.destroyed) return reply.hijack(); // nobody is there to answer
    throw error;
  }
  if (first.value?.kind === 'answer') {
    await news.return(undefined);
    return reply.type('application/json; charset=utf-8').send(first.value.json);
  }
  const rest = putBack(first.value ?? { kind: 'chunks', chunks: [] }, news);
  const toErrorBody = (error: unknown): object => {
    const { status, body: errorBody } = toErrorResponse(error, request.id);
    world.log.warn('http.stream_failed', { requestId: request.id, status, code: errorBody.error.code });
    return errorBody;
  };
  let look: (() => void) | null = null;
  const stream = toEventStream(rest, toErrorBody, (body) => (look ??= watchStream(unread, reply, body))());
  return reply.headers(eventStreamHeaders).send(stream);
}

/** The interactive lane: prompts that somebody waits for, answered as a whole or as a stream of events. */
export function completionRoutes(
  world: World,
  rulesOf: RulesOf,
  calls: LiveCalls,
  turns: ParseTurns,
  unread: UnreadBytes,
): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/completions',
      summary: 'Complete prompts and wait for the answer; with "stream": true as events',
      access: 'generate',
      body: completionRequest,
      answer: completionObject,
      events: completionEvent,
      handle: (call) => answer(world, rulesOf, calls, turns, unread, '/v1/completions', call),
    }),
    defineRoute({
      method: 'POST',
      path: '/v1/chat/completions',
      summary: 'Answer a chat and wait for it; with "stream": true as events',
      access: 'generate',
      body: chatRequest,
      answer: chatObject,
      events: chatEvent,
      handle: (call) => answer(world, rulesOf, calls, turns, unread, '/v1/chat/completions', call),
    }),
  ];
}
