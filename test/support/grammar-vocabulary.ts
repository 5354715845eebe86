import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type { NativeEngineOptions, NativeGrammarOptions } from '../../src/adapters/engine-native/native-types.js';
import { END_TOKEN, tinyConfig } from './tiny-falcon.js';

const longer = ['{"', '":', '": "', '", "', '"}', ' {', 'true', ' yes', ' no', '12', '  ', 'é', 'abc'];

/** Eleven marks, the end token, all bytes, and a few longer tokens. */
const pieces = [
  ...Array.from({ length: END_TOKEN }, (_, id) => Buffer.from(`>>M${id}<<`)),
  Buffer.from('<|endoftext|>'),
  ...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte])),
  ...longer.map((text) => Buffer.from(text)),
];

let end = 0;
export const grammarVocabulary: NativeGrammarOptions = {
  tokenBytes: Buffer.concat(pieces),
  tokenByteEnds: Uint32Array.from(pieces, (piece) => (end += piece.length)),
  specialTokenIds: Uint32Array.from({ length: END_TOKEN + 1 }, (_, id) => id),
  endTokenId: END_TOKEN,
};

/** What a tiny engine of this vocabulary is opened with. */
export const grammarEngine: Partial<NativeEngineOptions> = {
  config: { ...tinyConfig, vocabSize: pieces.length },
  tokenBytes: grammarVocabulary.tokenBytes,
  tokenByteEnds: grammarVocabulary.tokenByteEnds,
};

/** Why this build has no grammars; null where it has. */
export async function whyNoGrammars(): Promise<string | null> {
  try {
    await loadAddon().openGrammars(grammarVocabulary);
    return null;
  } catch (error) {
    if ((error as { code?: string }).code !== 'unsupported_device') throw error;
    return (error as Error).message;
  }
}
