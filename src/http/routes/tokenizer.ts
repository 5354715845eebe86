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
import { EyrieError } from '../../domain/errors.js';
import type { ServedModel } from '../../domain/served-model.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { checkModel } from '../check-model.js';

function bytesOf(tokenizer: Tokenizer, tokens: readonly number[]): Uint8Array {
  const wrong = tokens.findIndex((id) => id >= tokenizer.vocabSize);
  if (wrong >= 0)
    throw new EyrieError(
      'invalid_value',
      `Invalid token id ${tokens[wrong]}: token ids of this model are 0 to ${tokenizer.vocabSize - 1}.`,
      { param: `tokens[${wrong}]` },
    );
  return Buffer.concat(tokens.map((id) => tokenizer.tokenBytes(id)));
}

/** Texts of tokens that are made in one turn: some 4 ms. */
const textsPerTurn = 8192;

async function tokenTexts(tokenizer: Tokenizer, tokens: readonly number[]): Promise<string[]> {
  const texts: string[] = [];
  for (const id of tokens) {
    texts.push(tokenText(tokenizer.tokenBytes(id), id));
    if (texts.length % textsPerTurn === 0) await nextTurn();
  }
  return texts;
}

/** The tokenizer at the root of the server, where vLLM has it and evaluation harnesses look for it. */
export function tokenizerRoutes(model: ServedModel, tokenizer: Tokenizer): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/tokenize',
      summary: 'Turn a text into token ids',
      access: 'any key',
      body: tokenizeRequest,
      answer: tokenizeAnswer,
      handle: async ({ body }) => {
        if (body.model !== undefined) checkModel(model, body.model);
        const tokens = [...(await tokenizer.encode(body.prompt, 'parse'))];
        return {
          count: tokens.length,
          max_model_len: model.contextTokens,
          tokens,
          token_strs: body.return_token_strs ? await tokenTexts(tokenizer, tokens) : null,
        };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/detokenize',
      summary: 'Turn token ids into a text',
      access: 'any key',
      body: detokenizeRequest,
      answer: detokenizeAnswer,
      handle: ({ body }) => {
        if (body.model !== undefined) checkModel(model, body.model);
        return { prompt: decodeText(bytesOf(tokenizer, body.tokens)) };
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
