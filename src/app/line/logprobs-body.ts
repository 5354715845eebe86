import { decodeText, tokenText } from '../../domain/decode-tokens.js';
import type { TokenLogprobs } from '../../ports/engine.js';
import type { Tokenizer } from '../../ports/tokenizer.js';

/** JSON has no -Infinity; this is what OpenAI sends instead. */
const impossible = -9999;

/** A float32 as the shortest number that names it again, so that equal values are equal numbers in the JSON. */
function toNumber(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : impossible;
}

function topOf(logprobs: TokenLogprobs, index: number): { id: number; logprob: number }[] {
  return Array.from({ length: logprobs.k }, (_, rank) => ({
    id: logprobs.topIds[index * logprobs.k + rank] ?? 0,
    logprob: toNumber(logprobs.topLogprobs[index * logprobs.k + rank] ?? Number.NaN),
  }));
}

export interface TokenRun {
  readonly ids: Uint32Array;
  readonly logprobs: TokenLogprobs;
}

/** The tokens `from` up to `to` of a run. */
export const cutRun = ({ ids, logprobs: { chosen, topIds, topLogprobs, k } }: TokenRun, from: number, to: number) => ({
  ids: ids.subarray(from, to),
  logprobs: {
    chosen: chosen.subarray(from, to),
    topIds: topIds.subarray(from * k, to * k),
    topLogprobs: topLogprobs.subarray(from * k, to * k),
    k,
  },
});

export interface LegacyColumns {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
}

/** The parallel arrays of `/v1/completions`, but for the offsets. */
export function toLegacyColumns(runs: readonly TokenRun[], tokenizer: Tokenizer): LegacyColumns {
  const ids = runs.flatMap((run) => Array.from(run.ids));
  const textOf = (id: number): string => tokenText(tokenizer.tokenBytes(id), id);
  const tokenLogprobs: (number | null)[] = [];
  const tops: (Record<string, number> | null)[] = [];
  for (const { ids: runIds, logprobs } of runs)
    runIds.forEach((id, index) => {
      const value = logprobs.chosen[index] ?? Number.NaN;
      if (Number.isNaN(value)) {
        // The first token of a prompt: nothing before it predicts it.
        tokenLogprobs.push(null);
        tops.push(null);
        return;
      }
      const logprob = toNumber(value);
      tokenLogprobs.push(logprob);
      const top = topOf(logprobs, index);
      const map: Record<string, number> = Object.create(null) as Record<string, number>;
      for (const entry of top) map[textOf(entry.id)] = entry.logprob;
      // The actual token is always there, also when it is not among the best.
      if (!top.some((entry) => entry.id === id)) map[textOf(id)] = logprob;
      tops.push(map);
    });
  return { tokens: ids.map(textOf), token_logprobs: tokenLogprobs, top_logprobs: tops };
}

export interface ChatTokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: number[];
}

/** `choices[].logprobs` of a chat answer: the tokens that make up the text, without the end token or what completed a stop string. */
export function toChatLogprobs(
  { ids, logprobs }: TokenRun,
  textBytes: number,
  tokenizer: Tokenizer,
): { content: (ChatTokenLogprob & { top_logprobs: ChatTokenLogprob[] })[]; refusal: null } {
  const entry = (id: number, logprob: number): ChatTokenLogprob => {
    const bytes = tokenizer.tokenBytes(id);
    return { token: bytes.length > 0 ? decodeText(bytes) : tokenText(bytes, id), logprob, bytes: Array.from(bytes) };
  };
  const content = [];
  let at = 0;
  for (const [index, id] of ids.entries()) {
    if (at >= textBytes) break;
    at += tokenizer.tokenBytes(id).length;
    content.push({
      ...entry(id, toNumber(logprobs.chosen[index] ?? Number.NaN)),
      top_logprobs: topOf(logprobs, index).map((top) => entry(top.id, top.logprob)),
    });
  }
  return { content, refusal: null };
}
