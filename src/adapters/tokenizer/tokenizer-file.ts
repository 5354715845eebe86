import { z } from 'zod';
import { EyrieError } from '../../domain/errors.js';
import { checkKnownForm } from './known-form.js';

/** The parts of a tokenizer.json that we rely on; the rest is the library's. */
const tokenizerFile = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number().int().min(0), content: z.string(), special: z.boolean() })),
  model: z.looseObject({ type: z.literal('BPE'), vocab: z.record(z.string(), z.number().int().min(0)) }),
});
export type TokenizerFile = z.output<typeof tokenizerFile>;

/** Parses the text of a tokenizer.json. Throws `model_invalid`; `source` names the file in messages. */
export function parseTokenizerFile(json: string, source: string, vocabSize: number | null = null): TokenizerFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new EyrieError('model_invalid', `${source} is not valid JSON. Copy it again from the model's repository.`, {
      cause,
    });
  }
  checkKnownForm(parsed, vocabSize, source);
  const result = tokenizerFile.safeParse(parsed);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new EyrieError(
    'model_invalid',
    `${source} is no tokenizer of the Falcon models: '${issue?.path.join('.')}' is wrong (${issue?.message}). A byte-level BPE tokenizer is expected.`,
  );
}
