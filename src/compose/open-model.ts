import { NativeGrammars } from '../adapters/engine-native/native-grammars.js';
import { readModelFolder, type ModelFolder } from '../adapters/model-folder/read-model-folder.js';
import { NoTokenizer } from '../adapters/no-tokenizer/no-tokenizer.js';
import { BpeTokenizer } from '../adapters/tokenizer/bpe-tokenizer.js';
import type { TokenTable } from '../adapters/tokenizer/token-table.js';
import { EyrieError } from '../domain/errors.js';
import type { ServedModel } from '../domain/served-model.js';
import type { Tokenizer } from '../ports/tokenizer.js';
import { endOfText, endTokens } from './end-tokens.js';

/** The publisher's name in a repository id; the model card's owner otherwise. */
const ownerOf = (id: string): string => (id.includes('/') ? (id.split('/')[0] ?? id) : 'eyrie');

export function toServedModel(folder: ModelFolder, endTokenId: number): ServedModel {
  const { id, aliases, created, shape, digest } = folder;
  return {
    id,
    aliases,
    created,
    ownedBy: ownerOf(id),
    contextTokens: shape.contextTokens,
    vocabSize: shape.vocabSize,
    endTokenId,
    digest,
  };
}

export interface OpenModel {
  readonly folder: ModelFolder;
  readonly served: ServedModel;
  readonly tokenizer: Tokenizer;
  readonly grammars: NativeGrammars;
  /** null without a tokenizer. */
  readonly tokenTable: TokenTable | null;
  /** Ids that end a sequence. */
  readonly stopTokenIds: Uint32Array;
}

/** Reads a checkpoint's small files and its tokenizer; the weights are the engine's. */
export async function openModel(directory: string, name: string | null): Promise<OpenModel> {
  const folder = await readModelFolder(directory, name);
  const { vocabSize } = folder.shape;
  const bpe = folder.tokenizerJson === null ? null : BpeTokenizer.fromJson(folder.tokenizerJson, vocabSize);
  const tokenizer = bpe ?? new NoTokenizer(vocabSize);
  const { end, trusted } = endTokens(folder, tokenizer);
  const stopTokenIds = Uint32Array.from(new Set([...(end === null ? [] : [end]), ...trusted]));
  const endTokenId = end ?? stopTokenIds[0];
  if (endTokenId === undefined)
    throw new EyrieError(
      'model_invalid',
      `Neither a tokenizer with "${endOfText}" nor an eos_token_id was found in ${folder.directory}.`,
    );
  return {
    folder,
    served: toServedModel(folder, endTokenId),
    tokenizer,
    grammars: new NativeGrammars(
      bpe && {
        tokenBytes: bpe.tokenTable().bytes,
        tokenByteEnds: bpe.tokenTable().ends,
        specialTokenIds: bpe.specialTokenIds(),
        endTokenId,
      },
    ),
    tokenTable: bpe?.tokenTable() ?? null,
    stopTokenIds,
  };
}
