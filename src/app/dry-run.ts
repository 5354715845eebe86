import type { BatchError, ValidationMode } from '../contract/batch-object.js';
import type { CreateBatchRequest } from '../contract/create-batch.js';
import type { DryRunObject } from '../contract/dry-run.js';
import { bounds } from '../domain/bounds.js';
import { defaultWindow } from '../domain/completion-window.js';
import { secondsFor, tokensAhead } from '../domain/completion-estimate.js';
import { EyrieError } from '../domain/errors.js';
import { estimatePadding, type EngineShape, type SequenceShape } from '../domain/padding-estimate.js';
import { costOf } from '../domain/prices.js';
import { virtualTime } from '../domain/shard-priority.js';
import type { FleetState } from '../ports/progress-board.js';
import { findInput, inlineRequestsOf } from './accept-batch.js';
import { deadlineWithin, expiresAfterWindow, priceOf } from './batch-terms.js';
import { CountedGrammars, TooManyGrammars } from './grammars/counted-grammars.js';
import { openInput, toInputRef } from './input-content.js';
import { inSteps } from './in-steps.js';
import { lineSize, type LineRequest, type LineSize } from './line/line-request.js';
import { fleetSpeed, readFleet } from './open-work.js';
import { tokenLimitError } from './quotas/queued-tokens.js';
import { noSuchInput, placeInQueue, type Planner } from './plan-batch.js';
import { InvalidInput, validateInput, type LineObserver, type ValidInput } from './validate-input.js';

/** The engine of a worker that has told nothing: the defaults of its settings. */
const plainEngine: EngineShape = Object.freeze({ slots: 32, prefillTokens: 512 });

/** Ends the reading of an input early. */
class TimeIsUp extends Error {}

/** What the lines of an input say together, as far as they were read. */
class Survey {
  readonly #untilMs: number;
  readonly #nowMs: () => number;
  /** Lines whose body is wrong; the first of them. */
  failing = 0;
  readonly errors: BatchError[] = [];
  requests = 0;
  promptTokens = 0;
  outputTokensMost = 0;
  /** Shapes of the sequences; null when they are too many. */
  sequences: SequenceShape[] | null = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#untilMs = nowMs() + bounds.dryRunMs;
  }

  readonly observe: LineObserver = (line, outcome) => {
    this.requests++;
    if (outcome instanceof EyrieError) {
      this.failing++;
      const { code, message, param } = outcome;
      if (this.errors.length < bounds.batchErrorsListedMax)
        this.errors.push({ code, message, param, line: line.number });
    } else this.#measure(outcome, lineSize(outcome));
    if (this.#nowMs() > this.#untilMs) throw new TimeIsUp();
  };

  #measure({ prompts, candidates }: LineRequest, size: LineSize): void {
    this.promptTokens += size.promptTokens;
    this.outputTokensMost += size.outputTokensMost;
    if (!this.sequences) return;
    for (const { ids, maxTokens } of prompts)
      for (let candidate = 0; candidate < candidates; candidate++)
        this.sequences.push({ promptTokens: ids.length, outputTokens: maxTokens });
    if (this.sequences.length > bounds.dryRunSequencesMax) this.sequences = null;
  }
}

interface Findings {
  /** null: the batch would fail validation, or the input was not read to its end. */
  readonly valid: ValidInput | null;
  readonly complete: boolean;
  /** Lines that are no requests. */
  readonly noRequests: number;
  readonly lines: number;
  readonly errors: readonly BatchError[];
}

async function examine(
  world: Planner,
  tenant: string,
  source: AsyncIterable<Uint8Array>,
  survey: Survey,
  request: CreateBatchRequest,
  mode: ValidationMode,
): Promise<Findings> {
  try {
    const valid = await validateInput(source, {
      endpoint: request.endpoint ?? null,
      mode,
      model: world.model,
      tokenizer: world.tokenizer,
      grammars: new CountedGrammars(world.grammars),
      tenant,
      clock: world.clock,
      observer: survey.observe,
    });
    const rejected = valid.shards.flatMap((shard) => shard.rejected);
    const errors = rejected.map(({ code, message, param, line }) => ({ code, message, param, line }));
    // No batch has this id: all that is queued counts.
    const noRoom = await world.resultsQuota.usedUp(tenant);
    const overQuota = noRoom
      ? { ...noRoom, param: null, line: null }
      : await tokenLimitError(world, tenant, valid.tokens);
    if (overQuota)
      return {
        valid: null,
        complete: true,
        noRequests: rejected.length,
        lines: valid.lines,
        errors: [...errors, overQuota],
      };
    return { valid, complete: true, noRequests: rejected.length, lines: valid.lines, errors };
  } catch (error) {
    if (error instanceof TimeIsUp)
      return { valid: null, complete: false, noRequests: 0, lines: survey.requests, errors: [] };
    if (error instanceof TooManyGrammars)
      return {
        valid: null,
        complete: true,
        noRequests: 0,
        lines: survey.requests,
        errors: [error.asBatchError()],
      };
    if (!(error instanceof InvalidInput)) throw error;
    const { lines, badLines, errors } = error;
    return { valid: null, complete: true, noRequests: badLines, lines, errors };
  }
}

/** The first errors in line order; what concerns the file as a whole stands last. */
function firstErrors(...lists: readonly (readonly BatchError[])[]): DryRunObject['errors'] {
  const data = lists
    .flat()
    .toSorted((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))
    .slice(0, bounds.batchErrorsListedMax);
  return data.length > 0 ? { object: 'list', data } : null;
}

function paddingOf(sequences: Survey['sequences'], fleet: FleetState | null): DryRunObject['eyrie']['padding'] {
  if (!sequences || sequences.length === 0) return null;
  const { slots, prefillTokens } = fleet?.workers[0] ?? fleet?.lastKnown ?? plainEngine;
  const { idleSlotSteps, share } = estimatePadding(sequences, { slots, prefillTokens });
  return {
    slots,
    prefill_tokens: prefillTokens,
    idle_slot_steps: idleSlotSteps,
    share: Math.round(share * 1e6) / 1e6,
  };
}

type Outlook = Pick<DryRunObject['eyrie'], 'time' | 'time_unknown' | 'estimated_completion_at' | 'at_risk'>;

const unknown = (why: string): Outlook => ({
  time: null,
  time_unknown: why,
  estimated_completion_at: null,
  at_risk: null,
});

/** As if the batch were planned now. */
async function outlook(
  world: Planner,
  valid: ValidInput,
  fleet: FleetState | null,
  terms: Parameters<typeof placeInQueue>[1],
): Promise<Outlook> {
  const speed = fleetSpeed(fleet);
  if (!fleet) return unknown('The work queue does not answer right now.');
  if (!speed) return unknown('No worker has told its speed yet.');
  const nowMs = world.clock.now();
  const order = await placeInQueue(world, terms, nowMs);
  const ahead = tokensAhead(virtualTime(order, valid.shards.length - 1), fleet.work.values());
  const seconds = secondsFor(valid.tokens, speed);
  const queueSeconds = secondsFor(ahead, speed);
  const endsAt = Math.ceil(nowMs / 1000 + seconds + queueSeconds);
  const tenth = (value: number): number => Math.round(value * 10) / 10;
  return {
    time: {
      tokens_per_second: tenth(speed.tokensPerSecond),
      workers: speed.workers,
      basis: speed.basis,
      seconds: tenth(seconds),
      queue_seconds: tenth(queueSeconds),
    },
    time_unknown: null,
    estimated_completion_at: endsAt,
    at_risk: endsAt * 1000 > (terms.deadlineMs ?? terms.expiresMs),
  };
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

/**
 * Says what a batch would be, with the code that would validate it: its bad lines, tokens, shards, padding, time and cost. Creates
 * nothing and takes no time of a worker. Throws what a create would throw for wrong terms, and the signal's
 * reason when nobody wants to know any more.
 */
export async function dryRun(
  world: Planner,
  tenant: string,
  request: CreateBatchRequest,
  signal: AbortSignal,
): Promise<DryRunObject> {
  const nowMs = world.clock.now();
  const completionWindow = request.completion_window ?? defaultWindow;
  const expiresMs = expiresAfterWindow(world, completionWindow, nowMs);
  const deadlineMs = deadlineWithin(request.eyrie?.deadline, nowMs, expiresMs);
  const requests = inlineRequestsOf(request);
  const file = requests ? null : await findInput(world, tenant, request.input_file_id ?? '');
  const input = file && (await openInput(world.store, toInputRef(file)));
  const source = requests ? once(requests.content(request.endpoint)) : input;
  const survey = new Survey(() => world.clock.monotonic());
  const found: Findings = source
    ? await examine(
        world,
        tenant,
        inSteps(world.clock, source, signal),
        survey,
        request,
        request.eyrie?.validation ?? 'strict',
      )
    : { valid: null, complete: true, noRequests: 0, lines: 0, errors: [noSuchInput(request.input_file_id ?? '')] };
  const { valid } = found;
  const fleet = await readFleet(world);
  const terms = { tenant, priority: request.eyrie?.priority ?? 0, deadlineMs, expiresMs };
  const price = priceOf(world, completionWindow);
  const badLines = found.noRequests + survey.failing;
  return {
    object: 'batch.dry_run',
    endpoint: valid?.endpoint ?? request.endpoint ?? null,
    model: world.model.id,
    input_file_id: request.input_file_id ?? null,
    completion_window: completionWindow,
    errors: firstErrors(found.errors, survey.errors),
    request_counts: { total: found.lines, completed: 0, failed: badLines },
    eyrie: {
      valid: valid !== null,
      complete: found.complete,
      lines: found.lines,
      bad_lines: badLines,
      tokens: { input: survey.promptTokens, output_most: survey.outputTokensMost },
      shards: valid?.shards.length ?? 0,
      padding: paddingOf(survey.sequences, fleet),
      ...(valid
        ? await outlook(world, valid, fleet, terms)
        : unknown(found.complete ? 'The batch would fail validation.' : 'The input was not read to its end.')),
      cost: price && {
        currency: price.currency,
        estimated: costOf(price, survey.promptTokens, survey.outputTokensMost),
      },
    },
  };
}
