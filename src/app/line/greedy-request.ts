import type { SequenceRequest } from '../../ports/engine.js';

/** All of a request but its prompt and length: the best token each time, and nothing asked for beside it. */
export const greedyRequest: Omit<SequenceRequest, 'promptIds' | 'maxTokens'> = {
  minTokens: 0,
  ignoreEos: false,
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  seed: 0n,
  sequenceKey: 0n,
  stop: [],
  logitBias: new Map(),
  logprobs: null,
  promptLogprobs: false,
  urgent: false,
  grammar: null,
};
