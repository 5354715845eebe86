import { setMaxListeners } from 'node:events';
import { liveRequest, type LiveRequest } from '../../contract/live-message.js';
import { liveJob, type LiveJob } from '../../contract/queue-payload.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode, EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { isStopCause } from '../../domain/stop-cause.js';
import type { Engine } from '../../ports/engine.js';
import type { RunningJob } from '../../ports/job-queue.js';
import { AnswerStream } from '../line/answer-stream.js';
import { toLineRequest, type LineRules } from '../line/line-request.js';
import { toResponseBody } from '../line/response-body.js';
import { runSequences } from '../line/run-sequences.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { CallOutbox } from './call-outbox.js';

export type Answerer = World & LineRules & { readonly engine: Engine };

interface StreamFields {
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
}

/** Generates the answer and hands it to the outbox, in pieces or as a whole. */
async function answer(
  world: Answerer,
  call: LiveJob,
  { endpoint, body }: LiveRequest,
  outbox: CallOutbox,
  signal: AbortSignal,
): Promise<void> {
  const { engine, tokenizer, model, clock, ids } = world;
  const batchLine = await toLineRequest({ customId: call.callId, endpoint, body }, world);
  const line = { ...batchLine, sampling: { ...batchLine.sampling, urgent: true } };
  const frame = {
    id: ids.next(line.format),
    created: Math.floor(clock.now() / 1000),
    model: model.id,
    fingerprint: engine.fingerprint,
  };
  const { stream, stream_options: options } = body as StreamFields;
  if (stream === true) {
    const withUsage = options?.include_usage === true;
    const events = new AnswerStream(frame, line, withUsage, tokenizer, (chunk) => outbox.chunk(chunk));
    events.finish(await runSequences(line, engine, signal, events));
    await outbox.send({ kind: 'end' });
    return;
  }
  const results = await runSequences(line, engine, signal);
  const text = JSON.stringify(toResponseBody(frame, line, results, tokenizer).body);
  const isLarge = Buffer.byteLength(text) > bounds.liveInlineBytes;
  if (isLarge) await world.store.put(keys.liveAnswer(call.tenant, call.callId), Buffer.from(text));
  await outbox.send({ kind: 'answer', body: isLarge ? null : text });
}

/** Shows that the call is worked on, until `done` aborts. Learns by it when nobody listens any more. */
async function pulse({ clock }: World, outbox: CallOutbox, done: AbortSignal): Promise<void> {
  while (!done.aborted) {
    await outbox.send({ kind: 'pulse' });
    await clock.sleep(bounds.livePulseMs, done);
  }
}

/** Tells the one who waits why there is no answer. Returns the outcome's name for the log. */
async function conclude(
  world: Answerer,
  call: LiveJob,
  error: unknown,
  work: AbortSignal,
  outbox: CallOutbox,
): Promise<string> {
  if (work.reason === 'user_cancel') {
    // Whoever asked is gone, perhaps for good: nobody else would remove what was asked.
    await world.store.delete(keys.liveRequest(call.tenant, call.callId)).catch(() => undefined);
    return 'caller_gone';
  }
  // This worker ends, or is not the one that holds the call any more; the call may be made again.
  const lost = isStopCause(work.reason) || errorCode(error) === 'engine_closed';
  const code = lost ? 'worker_lost' : errorCode(error);
  const { message, param = null } = error as Partial<EyrieError>;
  await outbox.send({ kind: 'error', code, message: message ?? code, param });
  if (code === 'internal_error') world.log.error('live.failed', { callId: call.callId, code }, error);
  return code;
}

/**
 * Answers one live call: the same steps as a line of a batch, urgent in the engine, its answer through the live channel. Whoever
 * waits learns of every outcome, so the job never fails: a call is not tried again behind the back of its caller.
 */
export async function answerCall(world: Answerer, job: RunningJob, signal: AbortSignal): Promise<void> {
  const call = liveJob.parse(job.payload);
  const startedMs = world.clock.monotonic();
  const work = new AbortController();
  setMaxListeners(0, work.signal);
  const done = new AbortController();
  const run = world.ids.next('call');
  const outbox = new CallOutbox(world.live, call.callId, run, (cause) => work.abort(cause));
  const onSignal = (): void => work.abort(signal.reason);
  signal.addEventListener('abort', onSignal, { once: true });
  if (signal.aborted) onSignal();
  const pulsing = pulse(world, outbox, done.signal);
  let outcome = 'done';
  try {
    const request = await getJson(world.store, keys.liveRequest(call.tenant, call.callId), liveRequest);
    // Given up before it was taken; should somebody wait after all, the call is made again.
    if (!request) throw new EyrieError('worker_lost', 'The request of this call is gone.');
    await answer(world, call, request, outbox, work.signal);
  } catch (error) {
    outcome = await conclude(world, call, error, work.signal, outbox);
  } finally {
    signal.removeEventListener('abort', onSignal);
    done.abort();
    await pulsing;
  }
  const { tenant, callId } = call;
  world.log.info('live.done', { tenant, callId, outcome, ms: Math.round(world.clock.monotonic() - startedMs) });
}
