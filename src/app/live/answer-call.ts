import { setMaxListeners } from 'node:events';
import { liveRequest, type LiveRequest } from '../../contract/live-message.js';
import { liveJob, type LiveJob } from '../../contract/queue-payload.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode, EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { isStopCause } from '../../domain/stop-cause.js';
import type { Engine } from '../../ports/engine.js';
import { PutBack, type RunningJob } from '../../ports/job-queue.js';
import { Breather } from '../breather.js';
import { AnswerStream } from '../line/answer-stream.js';
import { toLineRequest, type LineRules } from '../line/line-request.js';
import { inTurns, responseJson } from '../line/response-json.js';
import { runSequences, type SequenceGate } from '../line/run-sequences.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { CallOutbox } from './call-outbox.js';
import { checkLiveSize, checkPromptTokens } from './live-size.js';
import type { LiveShares } from './live-shares.js';
import { sendAnswer } from './send-answer.js';

export type Answerer = World & LineRules & { readonly engine: Engine; readonly shares: LiveShares };

interface StreamFields {
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
}

/** Generates the answer and hands it to the outbox, in pieces or as a whole. `enter` is passed by each sequence. */
async function answer(
  world: Answerer,
  call: LiveJob,
  { endpoint, body }: LiveRequest,
  outbox: CallOutbox,
  signal: AbortSignal,
  enter: SequenceGate,
): Promise<void> {
  const { engine, tokenizer, model, clock, ids } = world;
  const batchLine = await toLineRequest(
    { customId: call.callId, endpoint, body },
    { model, tokenizer, grammars: world.grammars, tenant: call.tenant, checkPrompts: checkPromptTokens },
  );
  checkLiveSize(batchLine);
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
    await events.finish(await runSequences(line, engine, signal, events, enter), clock);
    await outbox.send({ kind: 'end' });
    return;
  }
  const results = await runSequences(line, engine, signal, undefined, enter);
  const pieces = responseJson(frame, line, results, tokenizer);
  await sendAnswer(world, call, inTurns(new Breather(clock), pieces), outbox);
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
  begun: boolean,
): Promise<string> {
  if (work.reason === 'user_cancel') {
    // Whoever asked is gone, perhaps for good: nobody else would remove what was asked.
    await world.store.delete(keys.liveRequest(call.tenant, call.callId)).catch(() => undefined);
    return 'caller_gone';
  }
  // This worker ends, or has not begun with the call: it may be made again. Not so when the engine broke at it, or when this process
  // stood still until the queue gave it up.
  const lost = isStopCause(work.reason) || errorCode(error) === 'engine_closed';
  const broken = begun && work.reason !== 'shutdown';
  const code = !lost ? errorCode(error) : broken ? 'worker_crashed' : 'worker_lost';
  const { message, param = null } = error as Partial<EyrieError>;
  await outbox.send({ kind: 'error', code, message: message ?? code, param });
  if (code === 'internal_error') world.log.error('live.failed', { callId: call.callId, code }, error);
  return code;
}

/**
 * Answers one live call: the same steps as a line of a batch, urgent in the engine, its answer through the live channel. Whoever
 * waits learns of every outcome, so the job never fails: a call is not tried again without its caller's knowledge. Throws `PutBack`
 * when the call's tenant has its part of this worker.
 */
export async function answerCall(world: Answerer, job: RunningJob, signal: AbortSignal): Promise<void> {
  const call = liveJob.parse(job.payload);
  const leave = world.shares.enterCall(call.tenant);
  if (!leave) throw new PutBack(bounds.livePutBackMs);
  try {
    await answerHere(world, call, job.stalls > 0, signal);
  } finally {
    leave();
  }
}

async function answerHere(world: Answerer, call: LiveJob, isStalled: boolean, signal: AbortSignal): Promise<void> {
  const { tenant, callId } = call;
  const startedMs = world.clock.monotonic();
  const work = new AbortController();
  setMaxListeners(0, work.signal);
  const done = new AbortController();
  const run = world.ids.next('call');
  const outbox = new CallOutbox(world.live, callId, run, (cause) => work.abort(cause));
  const onSignal = (): void => work.abort(signal.reason);
  signal.addEventListener('abort', onSignal, { once: true });
  if (signal.aborted) onSignal();
  const pulsing = pulse(world, outbox, done.signal);
  let begun: Promise<void> | null = null;
  const enter: SequenceGate = async (tokens) => {
    const leave = await world.shares.enterSlot(tenant, tokens, work.signal);
    // Told before the engine sees anything of it: a call that ends this process must not get another one.
    begun ??= outbox.send({ kind: 'pulse', begun: true });
    await begun;
    return leave;
  };
  let outcome = 'done';
  try {
    // Another worker was lost while it held this job. Whoever waits decides what that means.
    if (isStalled) throw new EyrieError('worker_lost', 'The worker that had this call was lost.');
    const request = await getJson(world.store, keys.liveRequest(tenant, callId), liveRequest);
    // Given up before it was taken; should somebody wait after all, the call is made again.
    if (!request) throw new EyrieError('worker_lost', 'The request of this call is gone.');
    await answer(world, call, request, outbox, work.signal, enter);
  } catch (error) {
    outcome = await conclude(world, call, error, work.signal, outbox, begun !== null);
  } finally {
    signal.removeEventListener('abort', onSignal);
    done.abort();
    await pulsing;
  }
  world.log.info('live.done', { tenant, callId, outcome, ms: Math.round(world.clock.monotonic() - startedMs) });
}
