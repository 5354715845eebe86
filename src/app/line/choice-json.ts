import { decodeText, TextOffsets } from '../../domain/decode-tokens.js';
import type { SequenceResult } from '../../ports/engine.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import type { LineRequest } from './line-request.js';
import { cutRun, toChatLogprobs, toLegacyColumns, type TokenRun } from './logprobs-body.js';
import { concatTokens, toAnswerText, tokenIdsOf } from './response-body.js';

/** Tokens whose log-probabilities are turned into JSON in one go: some milliseconds with 20 best tokens each. */
const sliceTokens = 128;

function* slices(runs: readonly TokenRun[]): Generator<TokenRun> {
  for (const run of runs)
    for (let from = 0; from < run.ids.length; from += sliceTokens)
      yield cutRun(run, from, Math.min(from + sliceTokens, run.ids.length));
}

/** The members of an object or array, without its braces. */
const inner = (value: object): string => JSON.stringify(value).slice(1, -1);

/** Four parallel arrays as in `/v1/completions`; `text_offset` counts the code points of `text`. */
function* legacyLogprobsJson(runs: readonly TokenRun[], text: string, tokenizer: Tokenizer): Generator<string> {
  const columns: Record<'tokens' | 'token_logprobs' | 'top_logprobs' | 'text_offset', string[]> = {
    tokens: [],
    token_logprobs: [],
    top_logprobs: [],
    text_offset: [],
  };
  const offsets = new TextOffsets();
  const end = Array.from(text).length;
  for (const slice of slices(runs)) {
    const { tokens, token_logprobs: tokenLogprobs, top_logprobs: tops } = toLegacyColumns([slice], tokenizer);
    columns.tokens.push(inner(tokens));
    columns.token_logprobs.push(inner(tokenLogprobs));
    columns.top_logprobs.push(inner(tops));
    const bytes = Array.from(slice.ids, (id) => tokenizer.tokenBytes(id));
    columns.text_offset.push(inner(offsets.next(bytes, end)));
    yield '';
  }
  let before = '{';
  for (const [name, parts] of Object.entries(columns)) {
    yield `${before}"${name}":[${parts.join(',')}]`;
    before = ',';
  }
  yield '}';
}

function* chatLogprobsJson(run: TokenRun, textBytes: number, tokenizer: Tokenizer): Generator<string> {
  yield '{"content":[';
  let at = 0;
  let isFirst = true;
  for (const slice of slices([run])) {
    const entries = inner(toChatLogprobs(slice, textBytes - at, tokenizer).content);
    yield entries === '' || isFirst ? entries : `,${entries}`;
    isFirst = false;
    for (const id of slice.ids) at += tokenizer.tokenBytes(id).length;
  }
  yield '],"refusal":null}';
}

function* logprobsJson(
  line: LineRequest,
  prompt: Uint32Array,
  result: SequenceResult,
  text: string,
  tokenizer: Tokenizer,
): Generator<string> {
  const runs: TokenRun[] = [];
  if (line.echo && result.promptLogprobs) runs.push({ ids: prompt, logprobs: result.promptLogprobs });
  if (result.logprobs) runs.push({ ids: result.tokenIds, logprobs: result.logprobs });
  const [first] = runs;
  if (line.logprobs === null || (line.format === 'chat' && !first)) yield 'null';
  else if (line.format === 'completion') yield* legacyLogprobsJson(runs, text, tokenizer);
  else if (first) yield* chatLogprobsJson(first, result.textBytes.length, tokenizer);
}

/**
 * A choice of an answer as JSON, piece by piece: an answer may have megabytes, and whoever makes it gives others their turn between
 * the pieces. Some are empty.
 */
export function* choiceJson(
  line: LineRequest,
  prompt: Uint32Array,
  result: SequenceResult,
  index: number,
  tokenizer: Tokenizer,
): Generator<string> {
  // Decoded together: a character may begin in the prompt and end in the answer.
  const text = decodeText(
    line.echo ? Buffer.concat([concatTokens(prompt, tokenizer), result.textBytes]) : result.textBytes,
  );
  const head =
    line.format === 'chat'
      ? { index, message: { role: 'assistant', content: toAnswerText(line, text), refusal: null } }
      : { index, text };
  yield `{${inner(head)},"logprobs":`;
  yield* logprobsJson(line, prompt, result, text, tokenizer);
  yield `,${inner({ finish_reason: result.finishReason, ...tokenIdsOf(line, prompt, result) })}}`;
}
