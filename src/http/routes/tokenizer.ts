import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseWith } from '../../contract/parse.js';
import {
  detokenizeAnswer,
  detokenizeRequest,
  tokenizeAnswer,
  tokenizeRequest,
  tokenizerInfo,
} from '../../contract/tokenize.js';
import { decodeText, tokenText } from '../../domain/decode-tokens.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { ServedModel } from '../../domain/served-model.js';
import { TooManyTokens, type Tokenizer } from '../../ports/tokenizer.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { checkModel } from '../check-model.js';
import type { ParseTurns } from '../parse-turns.js';

/** Tokens that are looked at in one turn: up to 4 ms. */
const tokensPerTurn = 8192;

/** What a text has is known before it is made: a token of a few bytes in the request may be one of a hundred in the answer. */
async function bytesOf(tokenizer: Tokenizer, tokens: readonly number[]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (const [at, id] of tokens.entries()) {
    if (id >= tokenizer.vocabSize)
      throw new EyrieError(
        'invalid_value',
        `Invalid token id ${id}: token ids of this model are 0 to ${tokenizer.vocabSize - 1}.`,
        { param: `tokens[${at}]` },
      );
    const piece = tokenizer.tokenBytes(id);
    length += piece.length;
    if (length > bounds.detokenizeBytesMax)
      throw new EyrieError(
        'invalid_value',
        `Invalid value for 'tokens': the text of the first ${at + 1} of ${tokens.length} token ids has ${length} bytes; at most ${bounds.detokenizeBytesMax} are allowed. Cut the list.`,
        { param: 'tokens', bound: 'detokenizeBytesMax' },
      );
    pieces.push(piece);
    if (pieces.length % tokensPerTurn === 0) await nextTurn();
  }
  return Buffer.concat(pieces, length);
}

/** How many tokens a text has is known before their list and their texts are made. */
async function tokensOf(tokenizer: Tokenizer, text: string, tenant: string): Promise<number[]> {
  try {
    return [...(await tokenizer.encode(text, 'parse', { tenant, tokensMax: bounds.tokenizeTokensMax }))];
  } catch (error) {
    if (!(error instanceof TooManyTokens)) throw error;
    throw new EyrieError(
      'invalid_value',
      `Invalid value for 'prompt': its ${text.length} characters are ${error.tokens} tokens; at most ${bounds.tokenizeTokensMax} are allowed. Cut the text.`,
      { param: 'prompt', bound: 'tokenizeTokensMax' },
    );
  }
}

async function tokenTexts(tokenizer: Tokenizer, tokens: readonly number[]): Promise<string[]> {
  const texts: string[] = [];
  for (const id of tokens) {
    texts.push(tokenText(tokenizer.tokenBytes(id), id));
    if (texts.length % tokensPerTurn === 0) await nextTurn();
  }
  return texts;
}

/** The tokenizer at the root of the server, where vLLM has it and evaluation harnesses look for it. */
export function tokenizerRoutes(model: ServedModel, tokenizer: Tokenizer, turns: ParseTurns): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/tokenize',
      summary: 'Turn a text into token ids',
      access: 'any key',
      body: tokenizeRequest,
      answer: tokenizeAnswer,
      handle: ({ body, tenant, reply }) => {
        if (body.model !== undefined) checkModel(model, body.model);
        return turns.takeForText(tenant, reply, body.prompt.length, async () => {
          const tokens = await tokensOf(tokenizer, body.prompt, tenant);
          return {
            count: tokens.length,
            max_model_len: model.contextTokens,
            tokens,
            token_strs: body.return_token_strs ? await tokenTexts(tokenizer, tokens) : null,
          };
        });
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/detokenize',
      summary: 'Turn token ids into a text',
      access: 'any key',
      body: detokenizeRequest,
      answer: detokenizeAnswer,
      handle: ({ body, tenant, reply }) => {
        if (body.model !== undefined) checkModel(model, body.model);
        return turns.takeForText(tenant, reply, body.tokens.length, async () => ({
          prompt: decodeText(await bytesOf(tokenizer, body.tokens)),
        }));
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/tokenizer_info',
      summary: 'Show what the tokenizer is',
      access: 'any key',
      answer: tokenizerInfo,
      handle: () =>
        parseWith(tokenizerInfo, {
          tokenizer_class: 'PreTrainedTokenizerFast',
          vocab_size: tokenizer.vocabSize,
          model_max_length: model.contextTokens,
          bos_token: null,
          eos_token: decodeText(tokenizer.tokenBytes(model.endTokenId)),
        }),
    }),
  ];
}
