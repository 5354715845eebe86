import type { Grammar } from '../domain/grammar.js';

/** One sequence to generate. Every field is required: defaults are decided once, where a request body is read. */
export interface SequenceRequest {
  /** 1..context ids, each below the vocabulary size. */
  readonly promptIds: Uint32Array;
  /** Prompt and maxTokens together fit the context. 0 only with `promptLogprobs`. */
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  /** 0 = greedy; the lowest id wins ties. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 = off. */
  readonly topK: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** 64-bit key of the random numbers of a line, and the key of this choice within it. */
  readonly seed: bigint;
  readonly sequenceKey: bigint;
  /** Matched on the decoded text; never part of it. */
  readonly stop: readonly string[];
  readonly logitBias: ReadonlyMap<number, number>;
  /** Best tokens reported beside the chosen one, 0..20; null = no log-probabilities. */
  readonly logprobs: number | null;
  /** Log-probabilities of the prompt's tokens too. */
  readonly promptLogprobs: boolean;
  /** Somebody waits for it: it takes the next free slot before all sequences that are not urgent. */
  readonly urgent: boolean;
  /**
   * What the text must satisfy; null = anything. The sequence ends when the text is complete and nothing can follow; where it is
   * complete but may go on, the end token decides, under minTokens and ignoreEos. At maxTokens it is cut, complete or not.
   */
  readonly grammar: Grammar | null;
}

/** Log-probabilities of a run of tokens: natural log over the whole vocabulary, on raw logits. */
export interface TokenLogprobs {
  /** One per token; NaN for the first token of a prompt. */
  readonly chosen: Float32Array;
  /** `k` per token, best first, lowest id first among equals. */
  readonly topIds: Uint32Array;
  readonly topLogprobs: Float32Array;
  readonly k: number;
}

/** Tokens that a sequence which goes on has generated since the last news of it. */
export interface TokenNews {
  readonly tokenIds: Uint32Array;
  readonly logprobs: TokenLogprobs | null;
}

export interface SequenceResult {
  /** Generated ids with the end token, or with the tokens that completed a stop string; nothing behind them. */
  readonly tokenIds: Uint32Array;
  /** The completion's bytes before the stop string or end token. */
  readonly textBytes: Uint8Array;
  readonly finishReason: 'stop' | 'length';
  readonly logprobs: TokenLogprobs | null;
  readonly promptLogprobs: TokenLogprobs | null;
}

/** Running totals since the engine was opened. */
export interface EngineTotals {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly paddedPrefillTokens: number;
  readonly idleSlotSteps: number;
  readonly overrunTokens: number;
}

/**
 * A model resident in memory that generates with static shapes. Any number of sequences may be asked for at once; the engine
 * orders and batches them. The result depends on the request alone.
 */
export interface Engine {
  /** Names build, model and number format: equal fingerprints give equal bytes on one kind of hardware. */
  readonly fingerprint: string;
  /**
   * Sequences with one and the same signal are wanted together, as the lines of a shard are: those that came earlier are not kept
   * waiting for long by later ones of other signals, so that one shard ends after the other.
   *
   * Rejects with `invalid_request` (out of bounds, or a grammar that takes too much effort), `numeric_error` (this sequence gave NaN), `engine_closed`, or with
   * `signal.reason` when aborted. `onTokens` is told the tokens as they come; those that end the sequence (its last one, or what
   * completed a stop string) come with the result alone, which has all of them.
   */
  generate(
    request: SequenceRequest,
    signal: AbortSignal,
    onTokens?: (news: TokenNews) => void,
  ): Promise<SequenceResult>;
  totals(): EngineTotals;
  close(): Promise<void>;
}
