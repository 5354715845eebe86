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

/** What the text of a prompt takes in JSON: each byte may have to be escaped, most have not. */
function promptTextBytes(ids: Uint32Array, tokenizer: Tokenizer): number {
  let bytes = 0;
  for (const id of ids) bytes += tokenizer.tokenBytes(id).length;
  return 2 * bytes;
}

/** How large the answer becomes at most, all tokens generated; estimated by the means above. */
export function answerBytesMost(line: AnswerShape, tokenizer: Tokenizer): number {
  const { format, prompts, choices, echo, logprobs, returnTokenIds } = line;
  const entryBytes = logprobs === null ? 0 : format === 'chat' ? chatEntryBytes(logprobs) : legacyEntryBytes(logprobs);
  let bytes = 0;
  for (const { ids, maxTokens } of prompts) {
    let choice = 200 + maxTokens * (textBytes / 2 + entryBytes);
    if (echo) choice += promptTextBytes(ids, tokenizer) + ids.length * entryBytes;
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

/** Throws `invalid_value`. */
export function checkAnswerSize(line: AnswerShape, tokenizer: Tokenizer, limit: keyof typeof limits): void {
  const bytes = answerBytesMost(line, tokenizer);
  const { bound, of, instead } = limits[limit];
  if (bytes > bounds[bound])
    throw new EyrieError(
      'invalid_value',
      `The answer may have ${bytes} bytes, with its log-probabilities, token ids and echoed prompts; ${bounds[bound]} are allowed${of}. Ask for fewer of them, lower max_tokens, or ${instead}.`,
      { param: line.logprobs === null ? null : line.format === 'chat' ? 'top_logprobs' : 'logprobs', bound },
    );
}
