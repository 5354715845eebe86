import type { Engine, EngineTotals, SequenceRequest, SequenceResult } from '../../src/ports/engine.js';

const answer = new TextEncoder().encode(' null');

/**
 * An engine that answers every sequence at once with one token: what is left of a batch's time is the control plane's. The token
 * and its text are fixed; prompts count as read.
 */
export class NullEngine implements Engine {
  readonly fingerprint = 'null';
  #promptTokens = 0;
  #generatedTokens = 0;

  generate(request: SequenceRequest, signal: AbortSignal): Promise<SequenceResult> {
    signal.throwIfAborted();
    this.#promptTokens += request.promptIds.length;
    this.#generatedTokens++;
    return Promise.resolve({
      tokenIds: Uint32Array.of(0),
      textBytes: answer,
      finishReason: 'length',
      logprobs: null,
      promptLogprobs: null,
    });
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
    return Promise.resolve();
  }
}
