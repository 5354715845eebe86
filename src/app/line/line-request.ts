import { chatRequest, type ChatRequest } from '../../contract/chat-request.js';
import { completionRequest, type CompletionRequest } from '../../contract/completion-request.js';
import { parseWith } from '../../contract/parse.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { humanBotStops, renderHumanBot, type ChatTurn } from '../../domain/human-bot-prompt.js';
import { derivedSeed, userSeed } from '../../domain/line-seed.js';
import type { Grammar } from '../../domain/grammar.js';
import type { ServedModel } from '../../domain/served-model.js';
import type { SequenceRequest } from '../../ports/engine.js';
import type { Grammars } from '../../ports/grammars.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import { answerBytesMost, checkAnswerBytes } from './answer-size.js';
import { encodePrompt } from './encode-prompt.js';
import { toGrammar } from './line-grammar.js';
import type { LineEnvelope } from './read-line.js';

type Sampling = Omit<SequenceRequest, 'promptIds' | 'maxTokens' | 'sequenceKey'>;

/** A line ready to generate: its body checked, its prompts as token ids, every default decided. */
export interface LineRequest {
  readonly format: 'completion' | 'chat';
  readonly prompts: readonly { readonly ids: Uint32Array; readonly maxTokens: number }[];
  /** Answers returned per prompt, and sequences generated per prompt to choose them from. */
  readonly choices: number;
  readonly candidates: number;
  readonly sampling: Sampling;
  readonly seed: bigint;
  readonly echo: boolean;
  /** As asked for by the user; null = none. */
  readonly logprobs: number | null;
  readonly returnTokenIds: boolean;
  /** How large the answer becomes at most, as it is estimated. */
  readonly answerBytes: number;
}

type Unmeasured = Omit<LineRequest, 'answerBytes'>;

export interface LineSize {
  /** As counted in `usage`: each prompt once. */
  readonly promptTokens: number;
  /** Upper bound of what is generated, all candidates together. */
  readonly outputTokensMost: number;
  /** Upper bound of the work: every candidate with its prompt. Shards are cut by it. */
  readonly tokens: number;
}

export function lineSize({ candidates, prompts }: Pick<LineRequest, 'candidates' | 'prompts'>): LineSize {
  let promptTokens = 0;
  let outputTokens = 0;
  for (const { ids, maxTokens } of prompts) {
    promptTokens += ids.length;
    outputTokens += maxTokens;
  }
  const outputTokensMost = candidates * outputTokens;
  return { promptTokens, outputTokensMost, tokens: candidates * promptTokens + outputTokensMost };
}

/** What most lines have, made once: neither is ever changed. */
const noBias: Sampling['logitBias'] = new Map();
const noStops: Sampling['stop'] = [];

function toLogitBias(given: CompletionRequest['logit_bias'], model: ServedModel): Sampling['logitBias'] {
  if (given === undefined) return noBias;
  const logitBias = new Map<number, number>();
  for (const name in given) {
    const id = Number(name);
    if (id >= model.vocabSize)
      throw new EyrieError(
        'invalid_value',
        `Invalid key ${id} in 'logit_bias': token ids of this model are 0 to ${model.vocabSize - 1}.`,
        {
          param: 'logit_bias',
        },
      );
    logitBias.set(id, given[name] ?? 0);
  }
  return logitBias;
}

function toStops(given: CompletionRequest['stop'], extraStops: readonly string[]): Sampling['stop'] {
  if (given === undefined) return extraStops;
  return [...new Set([...(typeof given === 'string' ? [given] : given), ...extraStops])];
}

function toSampling(
  body: CompletionRequest | ChatRequest,
  model: ServedModel,
  seed: bigint,
  extraStops: readonly string[],
  grammar: Grammar | null,
): Omit<Sampling, 'logprobs' | 'promptLogprobs'> {
  return {
    minTokens: body.min_tokens ?? 0,
    ignoreEos: body.ignore_eos ?? false,
    temperature: body.temperature ?? 1,
    topP: body.top_p ?? 1,
    // More than the vocabulary is all of it.
    topK: Math.min(model.vocabSize, Math.max(0, body.top_k ?? 0)),
    minP: body.min_p ?? 0,
    repetitionPenalty: body.repetition_penalty ?? 1,
    frequencyPenalty: body.frequency_penalty ?? 0,
    presencePenalty: body.presence_penalty ?? 0,
    seed,
    stop: toStops(body.stop, extraStops),
    logitBias: toLogitBias(body.logit_bias, model),
    urgent: false,
    grammar,
  };
}

function checkIds(ids: readonly number[], model: ServedModel, param: string): Uint32Array {
  for (const id of ids)
    if (id >= model.vocabSize)
      throw new EyrieError(
        'invalid_value',
        `Invalid token id ${id} in '${param}': token ids of this model are 0 to ${model.vocabSize - 1}.`,
        { param },
      );
  return Uint32Array.from(ids);
}

function checkMinTokens(minTokens: number, maxTokens: number): void {
  if (minTokens > maxTokens)
    throw new EyrieError(
      'invalid_value',
      `Invalid value for 'min_tokens': ${minTokens}. At most ${maxTokens} tokens will be generated; raise max_tokens or lower min_tokens.`,
      { param: 'min_tokens' },
    );
}

/** How many tokens to generate, and the prompt cut to fit when the user allowed it. */
function fit(
  ids: Uint32Array,
  asked: number | undefined,
  fallback: number,
  truncate: boolean,
  context: number,
  param: string,
): { ids: Uint32Array; maxTokens: number } {
  const least = asked ?? 1;
  if (ids.length + least > context) {
    const room = context - least;
    if (!truncate || room < 1)
      throw new EyrieError(
        'context_length_exceeded',
        `This model's maximum context length is ${context} tokens, but ${ids.length + least} were requested (${ids.length} in the prompt, ${least} for the completion). Shorten the prompt or lower max_tokens.`,
        { param },
      );
    ids = ids.subarray(ids.length - room);
  }
  return { ids, maxTokens: asked ?? Math.min(fallback, context - ids.length) };
}

/** What a body is checked against and made ready with. */
export interface LineRules {
  readonly model: ServedModel;
  readonly tokenizer: Tokenizer;
  readonly grammars: Grammars;
  /** Whose lines they are: their prompts take turns with those of others. Absent: there are no others. */
  readonly tenant?: string;
  /** Does the step, which tokenizes so many characters, when its turn has come. Absent: at once. */
  readonly inTurn?: (chars: number, step: () => Promise<void>) => Promise<void>;
  /** Sees the prompts that are tokenized, after each: what it throws keeps the others from being looked at. */
  readonly checkPrompts?: (line: Pick<LineRequest, 'format' | 'prompts' | 'candidates'>) => void;
}

type Prompts = LineRequest['prompts'][number][];

async function fromCompletion(
  body: CompletionRequest,
  seed: bigint,
  { model, tokenizer, grammars, tenant = '', inTurn, checkPrompts }: LineRules,
): Promise<Unmeasured> {
  const given = body.prompt;
  const prompts =
    typeof given === 'string'
      ? [given]
      : typeof given[0] === 'number'
        ? [given as number[]]
        : (given as (string | number[])[]);
  const special = body.eyrie?.special_tokens ?? 'parse';
  const truncate = body.eyrie?.truncate === 'head';
  const choices = body.n ?? 1;
  const candidates = Math.max(body.best_of ?? choices, choices);
  const logprobs = body.logprobs ?? null;
  const echo = body.echo ?? false;
  const param = 'prompt';
  const format = 'completion';
  const fitted: Prompts = [];
  const encodeAll = async (): Promise<void> => {
    // One after the other: after the first that is too long none is looked at.
    for (const prompt of prompts) {
      const isText = typeof prompt === 'string';
      const ids = isText
        ? await encodePrompt({ text: prompt, special, truncate, tenant, param }, model, tokenizer)
        : checkIds(prompt, model, param);
      fitted.push(fit(ids, body.max_tokens, bounds.completionTokensDefault, truncate, model.contextTokens, param));
      checkPrompts?.({ format, prompts: fitted, candidates });
    }
  };
  const chars = prompts.reduce((sum, prompt) => sum + (typeof prompt === 'string' ? prompt.length : 0), 0);
  await (inTurn ? inTurn(chars, encodeAll) : encodeAll());
  return {
    format,
    prompts: fitted,
    choices,
    candidates,
    sampling: {
      ...toSampling(body, model, seed, noStops, await toGrammar(body, false, grammars)),
      // The best candidates are chosen by their mean log-probability.
      logprobs: logprobs ?? (candidates > choices ? 0 : null),
      // max_tokens 0 is a scoring request: the prompt must be read even when its log-probabilities are not shown.
      promptLogprobs: echo && (logprobs !== null || body.max_tokens === 0),
    },
    seed,
    echo,
    logprobs,
    returnTokenIds: body.return_token_ids ?? false,
  };
}

const contentText = (content: ChatRequest['messages'][number]['content']): string =>
  typeof content === 'string' ? content : content.map((part) => part.text).join('');

async function fromChat(
  body: ChatRequest,
  seed: bigint,
  { model, tokenizer, grammars, tenant = '', inTurn }: LineRules,
): Promise<Unmeasured> {
  const turns = body.messages.map(({ role, content }): ChatTurn => ({
    role: role === 'developer' ? 'system' : role,
    content: contentText(content),
  }));
  const special = body.eyrie?.special_tokens ?? 'text';
  const truncate = body.eyrie?.truncate === 'head';
  const prompt = { text: renderHumanBot(turns), special, truncate, tenant, param: 'messages' };
  let ids: Uint32Array = new Uint32Array();
  const encode = async (): Promise<void> => {
    ids = await encodePrompt(prompt, model, tokenizer);
  };
  await (inTurn ? inTurn(prompt.text.length, encode) : encode());
  // These models put a space before an answer. Of text that a grammar has shaped, a turn mark is a part like any other.
  const grammar = await toGrammar(body, true, grammars);
  const choices = body.n ?? 1;
  return {
    format: 'chat',
    prompts: [
      fit(
        ids,
        body.max_completion_tokens ?? body.max_tokens,
        bounds.chatTokensDefault,
        truncate,
        model.contextTokens,
        'messages',
      ),
    ],
    choices,
    candidates: choices,
    sampling: {
      ...toSampling(body, model, seed, grammar ? [] : humanBotStops, grammar),
      logprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : null,
      promptLogprobs: false,
    },
    seed,
    echo: false,
    logprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : null,
    returnTokenIds: body.return_token_ids ?? false,
  };
}

async function toRequest(
  line: LineEnvelope,
  rules: LineRules,
  seedOf: (seed: number | undefined) => bigint,
): Promise<LineRequest> {
  let request: Unmeasured;
  if (line.endpoint === '/v1/completions') {
    const body = parseWith(completionRequest, line.body);
    request = await fromCompletion(body, seedOf(body.seed), rules);
  } else {
    const body = parseWith(chatRequest, line.body);
    request = await fromChat(body, seedOf(body.seed), rules);
  }
  for (const { maxTokens } of request.prompts) checkMinTokens(request.sampling.minTokens, maxTokens);
  const answerBytes = answerBytesMost(request, rules.tokenizer);
  checkAnswerBytes(answerBytes, request, 'line');
  return { ...request, answerBytes };
}

/**
 * Checks a line's body and makes it ready to generate. The seed is the user's, else one derived from the line alone. Throws an
 * `EyrieError` that names the field; such an error fails the line, not the batch.
 */
export const toLineRequest = (line: LineEnvelope, rules: LineRules): Promise<LineRequest> =>
  toRequest(line, rules, (seed) => (seed === undefined ? derivedSeed(line.customId, line.body) : userSeed(seed)));

/** The same for whoever wants to know whether and how long it would run: without a seed, which takes the whole body to derive. */
export const checkLineRequest = (line: LineEnvelope, rules: LineRules): Promise<LineRequest> =>
  toRequest(line, rules, () => 0n);
