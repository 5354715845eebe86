import { readFile } from 'node:fs/promises';
import { EyrieError } from '../../domain/errors.js';
import { BpeTokenizer } from './bpe-tokenizer.js';

/** Reads a tokenizer.json. Throws `model_unreadable` or `model_invalid`. */
export async function loadTokenizer(file: string, vocabSize: number | null = null): Promise<BpeTokenizer> {
  let json: string;
  try {
    json = await readFile(file, 'utf8');
  } catch (cause) {
    throw new EyrieError(
      'model_unreadable',
      `${file} cannot be read (${(cause as NodeJS.ErrnoException).code}). Copy tokenizer.json of the model's repository there.`,
      { cause },
    );
  }
  return BpeTokenizer.fromJson(json, vocabSize, file);
}
