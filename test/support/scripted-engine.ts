import { EyrieError } from '../../src/domain/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type {
  Engine,
  EngineTotals,
  SequenceRequest,
  SequenceResult,
  TokenLogprobs,
  TokenNews,
} from '../../src/ports/engine.js';

/** What the model "says" to a prompt: a text, one token per byte of UTF-8, or an error to throw. */
export type Script = (promptIds: Uint32Array, request: SequenceRequest) => string | Error;

export interface ScriptedEngineOptions {
  readonly fingerprint?: string;
  /** With a clock, each sequence takes this long. */
  readonly clock?: Clock;
  readonly sequenceMs?: number;
  /** With a clock, each token of a watched sequence takes this long. */
  readonly tokenMs?: number;
  /** Tokens told at once to who watches; default 1. */
  readonly tokensPerNews?: number;
  /** Log-probabilities that differ from token to token and from rank to rank, so that a mix-up shows; default: all 0. */
  readonly variedLogprobs?: boolean;
}

/** Id of the end token, behind the 256 byte tokens. */
export const scriptedEndToken = 256;

/**
 * An engine that answers by a function of the prompt. It keeps the rules of the port: maxTokens, stop strings, the end token,
 * log-probabilities of the asked shape, abort, close.
 */
export class ScriptedEngine implements Engine {
  readonly fingerprint: string;
  /** Every request so far. */
  readonly requests: SequenceRequest[] = [];
  /** Sequences under way: slots that are taken. */
  active = 0;
  readonly #script: Script;
  readonly #clock: Clock | undefined;
  readonly #sequenceMs: number;
  readonly #tokenMs: number;
  readonly #tokensPerNews: number;
  readonly #variedLogprobs: boolean;
  #promptTokens = 0;
  #generatedTokens = 0;
  #closed = false;

  constructor(script: Script, options: ScriptedEngineOptions = {}) {
    const { fingerprint = 'scripted', clock, sequenceMs = 0, tokenMs = 0, tokensPerNews = 1 } = options;
    this.#variedLogprobs = options.variedLogprobs ?? false;
    this.#script = script;
    this.fingerprint = fingerprint;
    this.#clock = clock;
    this.#sequenceMs = sequenceMs;
    this.#tokenMs = tokenMs;
    this.#tokensPerNews = tokensPerNews;
  }

  async generate(
    request: SequenceRequest,
    signal: AbortSignal,
    onTokens?: (news: TokenNews) => void,
  ): Promise<SequenceResult> {
    if (this.#closed) throw new EyrieError('engine_closed', 'The engine was closed.');
    signal.throwIfAborted();
    this.requests.push(request);
    this.active++;
    try {
      return await this.#generate(request, signal, onTokens);
    } finally {
      this.active--;
    }
  }

  async #generate(
    request: SequenceRequest,
    signal: AbortSignal,
    onTokens?: (news: TokenNews) => void,
  ): Promise<SequenceResult> {
    if (this.#sequenceMs > 0) await this.#clock?.sleep(this.#sequenceMs, signal);
    signal.throwIfAborted();
    const said = this.#script(request.promptIds, request);
    if (said instanceof Error) throw said;
    const { tokenIds, textBytes, finishReason } = cut(said, request);
    if (onTokens) await this.#tell(tokenIds.subarray(0, -1), request, signal, onTokens);
    this.#promptTokens += request.promptIds.length;
    this.#generatedTokens += tokenIds.length;
    return {
      tokenIds,
      textBytes,
      finishReason,
      logprobs: request.logprobs === null ? null : someLogprobs(tokenIds, request.logprobs, this.#variedLogprobs),
      promptLogprobs: request.promptLogprobs
        ? someLogprobs(request.promptIds, request.logprobs ?? 0, this.#variedLogprobs, true)
        : null,
    };
  }

  async #tell(
    tokenIds: Uint32Array,
    { logprobs }: SequenceRequest,
    signal: AbortSignal,
    onTokens: (news: TokenNews) => void,
  ): Promise<void> {
    for (let from = 0; from < tokenIds.length; from += this.#tokensPerNews) {
      if (this.#tokenMs > 0) await this.#clock?.sleep(this.#tokenMs, signal);
      signal.throwIfAborted();
      const ids = tokenIds.slice(from, from + this.#tokensPerNews);
      onTokens({
        tokenIds: ids,
        logprobs: logprobs === null ? null : someLogprobs(ids, logprobs, this.#variedLogprobs),
      });
    }
  }

  totals(): EngineTotals {
    return {
      promptTokens: this.#promptTokens,
      generatedTokens: this.#generatedTokens,
      paddedPrefillTokens: 0,
      idleSlotSteps: 0,
      overrunTokens: 0,
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}

type Cut = Pick<SequenceResult, 'finishReason' | 'tokenIds' | 'textBytes'>;

function cut(said: string, { stop, maxTokens, ignoreEos }: SequenceRequest): Cut {
  const bytes = Buffer.from(said);
  // The stop string that is complete first; among those the one that starts first.
  const ends = stop
    .map((text) => ({ start: bytes.indexOf(text), length: Buffer.byteLength(text) }))
    .filter(({ start }) => start >= 0)
    .sort((a, b) => a.start + a.length - (b.start + b.length) || a.start - b.start);
  const [first] = ends;
  const written = first ? bytes.subarray(0, first.start + first.length) : bytes;
  if (written.length > maxTokens) {
    const tokenIds = Uint32Array.from(written.subarray(0, maxTokens));
    return { tokenIds, textBytes: Uint8Array.from(tokenIds), finishReason: 'length' };
  }
  const textBytes = Uint8Array.from(first ? bytes.subarray(0, first.start) : bytes);
  if (first) return { tokenIds: Uint32Array.from(written), textBytes, finishReason: 'stop' };
  const ended = !ignoreEos && written.length < maxTokens;
  const tokenIds = Uint32Array.from(ended ? [...written, scriptedEndToken] : written);
  return { tokenIds, textBytes, finishReason: ended ? 'stop' : 'length' };
}

/** The ids 0..k-1 beside each token; every token certain, unless `varied`. */
function someLogprobs(ids: Uint32Array, k: number, varied: boolean, isPrompt = false): TokenLogprobs {
  const scale = varied ? -1 / 256 : 0;
  const chosen = Float32Array.from(ids, (id) => id * scale + 0);
  if (isPrompt && chosen.length > 0) chosen[0] = NaN;
  return {
    chosen,
    topIds: Uint32Array.from({ length: ids.length * k }, (_, i) => i % k),
    topLogprobs: Float32Array.from(
      { length: ids.length * k },
      (_, i) => ((i % k) + (ids[Math.floor(i / k)] ?? 0)) * scale + 0,
    ),
    k,
  };
}
