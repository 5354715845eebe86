import { callLive } from '../../app/live/call-live.js';
import type { LiveNews } from '../../app/live/call-worker.js';
import { checkLineRequest, type LineRules } from '../../app/line/line-request.js';
import type { World } from '../../app/world.js';
import { chatEvent, chatObject } from '../../contract/chat-object.js';
import { chatRequest } from '../../contract/chat-request.js';
import { completionEvent, completionObject } from '../../contract/completion-object.js';
import { completionRequest } from '../../contract/completion-request.js';
import type { LiveRequest } from '../../contract/live-message.js';
import type { Endpoint } from '../../domain/served-model.js';
import { defineRoute, type ApiCall, type ApiRoute } from '../api-route.js';
import { checkModel } from '../check-model.js';
import { toErrorResponse } from '../error-response.js';
import { eventStreamHeaders, toEventStream } from '../event-stream.js';
import type { LiveCalls } from '../live-calls.js';

type GenerateCall = ApiCall<unknown, unknown, { readonly model: string; readonly stream?: boolean | undefined }>;

async function* putBack(first: LiveNews, rest: AsyncIterable<LiveNews>): AsyncGenerator<LiveNews> {
  yield first;
  yield* rest;
}

/** All that is wrong with a request is said here, before any worker is woken: the same checks as for a line of a batch. */
async function check(rules: LineRules, request: LiveRequest, model: string): Promise<void> {
  checkModel(rules.model, model);
  await checkLineRequest({ customId: '', endpoint: request.endpoint, body: request.body }, rules);
}

async function answer(
  world: World,
  rules: LineRules,
  calls: LiveCalls,
  endpoint: Endpoint,
  { tenant, body, json, request: { id: requestId }, reply }: GenerateCall,
): Promise<unknown> {
  const request: LiveRequest = { v: 1, endpoint, body: json as Record<string, unknown> };
  await check(rules, request, body.model);
  const news = callLive(world, tenant, request, calls.open(reply));
  let first;
  try {
    // Until something has come, an error still has a status of its own.
    first = await news.next();
  } catch (error) {
    if (reply.raw.destroyed) return reply.hijack(); // nobody is there to answer
    throw error;
  }
  if (first.value?.kind === 'answer') {
    await news.return(undefined);
    return reply.type('application/json; charset=utf-8').send(first.value.json);
  }
  const rest = first.value ? putBack(first.value, news) : news;
  const stream = toEventStream(rest, (error) => {
    const { status, body: errorBody } = toErrorResponse(error, requestId);
    world.log.warn('http.stream_failed', { requestId, status, code: errorBody.error.code });
    return errorBody;
  });
  return reply.headers(eventStreamHeaders).send(stream);
}

/** The interactive lane: prompts that somebody waits for, answered as a whole or as a stream of events. */
export function completionRoutes(world: World, rules: LineRules, calls: LiveCalls): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/completions',
      summary: 'Complete prompts and wait for the answer; with "stream": true as events',
      access: 'generate',
      body: completionRequest,
      answer: completionObject,
      events: completionEvent,
      handle: (call) => answer(world, rules, calls, '/v1/completions', call),
    }),
    defineRoute({
      method: 'POST',
      path: '/v1/chat/completions',
      summary: 'Answer a chat and wait for it; with "stream": true as events',
      access: 'generate',
      body: chatRequest,
      answer: chatObject,
      events: chatEvent,
      handle: (call) => answer(world, rules, calls, '/v1/chat/completions', call),
    }),
  ];
}
