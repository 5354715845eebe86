import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';

/** Stages that the published tokenizers cut words with. Others may take any time or memory, or end the process. */
function isKnownStage(stage: unknown): boolean {
  if (!isObject(stage)) return false;
  const { type, ...rest } = stage;
  const only = (...names: readonly string[]): boolean => Object.keys(rest).every((name) => names.includes(name));
  switch (type) {
    case 'Punctuation':
      return only('behavior') && (rest['behavior'] === undefined || rest['behavior'] === 'Contiguous');
    case 'ByteLevel':
      return only('add_prefix_space', 'trim_offsets', 'use_regex') && Object.values(rest).every(isFlag);
    case 'Digits':
      return only('individual_digits') && isFlag(rest['individual_digits']);
    case 'Split': {
      const { pattern, behavior, invert } = rest;
      const isThreeDigits = isObject(pattern) && JSON.stringify(pattern) === '{"Regex":"[0-9][0-9][0-9]"}';
      return only('pattern', 'behavior', 'invert') && isThreeDigits && behavior === 'Isolated' && invert === false;
    }
    default:
      return false;
  }
}

const stagesMax = 4;

function isKnownCut(cut: unknown): boolean {
  if (!isObject(cut)) return false;
  if (cut['type'] !== 'Sequence') return cut['type'] === 'ByteLevel' && isKnownStage(cut);
  const stages: unknown = cut['pretokenizers'];
  return Array.isArray(stages) && stages.length <= stagesMax && stages.every(isKnownStage);
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isOff = (value: unknown): boolean => isAbsent(value) || value === false || value === '';

const sizeOf = (value: unknown): number =>
  Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0;

/**
 * The first member that no tokenizer of the Falcon models has, with what is allowed; null when there is none. Only such files go to
 * the library, which does whatever a file asks for. Cheap whatever the file holds: sizes are looked at before what they are of.
 */
function flawOf(file: unknown, vocabSizeMax: number): readonly [member: string, allowed: string] | null {
  if (!isObject(file)) return ['the file', 'an object'];
  const { model, added_tokens: added } = file;
  if (!isAbsent(file['normalizer'])) return ['normalizer', 'null'];
  if (!isKnownCut(file['pre_tokenizer']))
    return ['pre_tokenizer', "the published one, of Punctuation, ByteLevel, Digits and Split at '[0-9][0-9][0-9]'"];
  const post = file['post_processor'];
  if (!isAbsent(post) && !(isObject(post) && post['type'] === 'ByteLevel' && isKnownStage(post)))
    return ['post_processor', 'null, or ByteLevel'];
  if (sizeOf(added) > vocabSizeMax) return ['added_tokens', `at most ${vocabSizeMax} tokens`];
  if (!isObject(model)) return ['model', 'an object'];
  if (sizeOf(model['vocab']) > vocabSizeMax) return ['model.vocab', `at most ${vocabSizeMax} tokens`];
  if (sizeOf(model['merges']) > vocabSizeMax) return ['model.merges', `at most ${vocabSizeMax} merges`];
  for (const name of ['dropout', 'unk_token', 'continuing_subword_prefix', 'end_of_word_suffix'])
    if (!isOff(model[name])) return [`model.${name}`, 'null'];
  for (const name of ['fuse_unk', 'byte_fallback', 'ignore_merges'])
    if (!isOff(model[name])) return [`model.${name}`, 'false'];
  return null;
}

/** Throws `model_invalid` for a tokenizer that is none of the Falcon models. `vocabSize`: the model's, null when it is not known. */
export function checkKnownForm(file: unknown, vocabSize: number | null, source: string): void {
  const flaw = flawOf(file, vocabSize ?? bounds.tokenizerVocabMax);
  if (!flaw) return;
  throw new EyrieError(
    'model_invalid',
    `${source} is no tokenizer of the Falcon models: '${flaw[0]}' is not as in any of them; ${flaw[1]} is allowed. Copy the file again from the model's repository.`,
  );
}
