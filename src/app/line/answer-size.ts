import { bounds, type BoundName } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { Tokenizer } from '../../ports/tokenizer.js';

/** What an answer's size follows from, of a `LineRequest`. */
export interface AnswerShape {
  readonly format: 'completion' | 'chat';
  readonly prompts: readonly { readonly ids: Uint32Array; readonly maxTokens: number }[];
  readonly choices: number;
  readonly echo: boolean;
  readonly logprobs: number | null;
  readonly returnTokenIds: boolean;
}

/** Bytes in JSON of what is not known before it is generated: a token's text, and a number. Above the mean of every language. */
const textBytes = 24;
const numberBytes = 14;
const idBytes = 7;

/** Of one token of `/v1/completions`: tokens, token_logprobs, text_offset, and the best tokens with the actual one. */
const legacyEntryBytes = (k: number): number => textBytes + 2 * numberBytes + 2 + (k + 1) * (textBytes + numberBytes);
/** Of one token of a chat: its text, bytes and number, and the same for each of the best. */
const chatEntryBytes = (k: number): number => (k + 1) * (textBytes + numberBytes + 4 * (textBytes / 2) + 44) + 20;

const isShortEscape = (byte: number): boolean =>
  byte === 0x22 || byte === 0x5c || (byte >= 8 && byte <= 13 && byte !== 11);

/** What a byte of a token takes in JSON at most; one that belongs to no character becomes U+FFFD. */
const jsonByteBytes = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 ? 3 : isShortEscape(byte) ? 2 : byte < 0x20 ? 6 : 1,
);

/** What the text of a prompt takes in JSON. Each token is looked at once: some have a hundred bytes. */
function promptTextBytes(ids: Uint32Array, tokenizer: Tokenizer, known: Map<number, number>): number {
  let sum = 0;
  for (const id of ids) {
    let bytes = known.get(id);
    if (bytes === undefined) {
      bytes = 0;
      for (const byte of tokenizer.tokenBytes(id)) bytes += jsonByteBytes[byte] ?? 0;
      known.set(id, bytes);
    }
    sum += bytes;
  }
  return sum;
}

/** How large the answer becomes at most, all tokens generated; estimated by the means above. */
export function answerBytesMost(line: AnswerShape, tokenizer: Tokenizer): number {
  const { format, prompts, choices, echo, logprobs, returnTokenIds } = line;
  const entryBytes = logprobs === null ? 0 : format === 'chat' ? chatEntryBytes(logprobs) : legacyEntryBytes(logprobs);
  const known = new Map<number, number>();
  let bytes = 0;
  for (const { ids, maxTokens } of prompts) {
    let choice = 200 + maxTokens * (textBytes / 2 + entryBytes);
    // With log-probabilities each token's text stands among `tokens` and `top_logprobs` too.
    if (echo) choice += (logprobs === null ? 1 : 3) * promptTextBytes(ids, tokenizer, known) + ids.length * entryBytes;
    if (returnTokenIds) choice += (ids.length + maxTokens) * idBytes;
    bytes += choices * choice;
  }
  return Math.ceil(bytes);
}

/** How large an answer may be: of every line, since it is made whole in a worker's memory, and of a call that waits for it. */
const limits = {
  line: { bound: 'lineAnswerBytesMax', of: '', instead: 'put the prompts into several lines' },
  call: {
    bound: 'liveAnswerBytesMax',
    of: ' to a call that waits for its answer',
    instead: 'send several calls, or a batch (POST /v1/batches), which takes more',
  },
} as const satisfies Record<string, { bound: BoundName; of: string; instead: string }>;

/** What makes the answer so large. Not null: an error that names a field is the line's own, not one of its shard. */
function paramOf({ format, echo, logprobs, returnTokenIds }: AnswerShape): string {
  if (logprobs !== null) return format === 'chat' ? 'top_logprobs' : 'logprobs';
  return echo ? 'echo' : returnTokenIds ? 'return_token_ids' : 'max_tokens';
}

/** `bytes`: what the answer may have, or has so far. Throws `invalid_value`. */
export function checkAnswerBytes(bytes: number, line: AnswerShape, limit: keyof typeof limits, may = 'may have'): void {
  const { bound, of, instead } = limits[limit];
  if (bytes > bounds[bound])
    throw new EyrieError(
      'invalid_value',
      `The answer ${may} ${bytes} bytes, with its log-probabilities, token ids and echoed prompts; ${bounds[bound]} are allowed${of}. Ask for fewer of them, lower max_tokens, or ${instead}.`,
      { param: paramOf(line), bound },
    );
}
