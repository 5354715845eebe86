import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { parseFalconConfig, toFalconShape, type FalconConfig } from '../../contract/falcon-config.js';
import { EyrieError } from '../../domain/errors.js';
import type { FalconShape } from '../../domain/falcon-shape.js';

/** A checkpoint folder without its weights: what it is called, its shape, and what its small files say. */
export interface ModelFolder {
  readonly directory: string;
  readonly id: string;
  readonly aliases: readonly string[];
  readonly shape: FalconShape;
  /** config.json as it is written. */
  readonly config: FalconConfig;
  /** What the files name as end of text; not to be trusted alone (RefinedWeb defaults name ordinary tokens). */
  readonly endIds: { readonly config: readonly number[]; readonly generation: readonly number[] };
  /** null when the checkpoint has none: prompts must then be token ids. */
  readonly tokenizerJson: string | null;
  /** Unix seconds: when config.json was written. */
  readonly created: number;
  /** `sha256:` over the small files, and name and size of each weight file. */
  readonly digest: string;
}

/** null when there is no such file. Throws `model_unreadable`. */
export async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new EyrieError('model_unreadable', `${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/** The members of one of the small files that count here. Throws `model_invalid`. */
async function readFields<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const result = schema.safeParse(await readJson(file));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join('.') ?? '';
  throw new EyrieError(
    'model_invalid',
    `${file}: ${key || 'the file'} is not valid: ${issue?.message ?? 'unknown reason'}. Correct it, or remove the file.`,
  );
}

async function readJson(file: string): Promise<unknown> {
  const text = await readText(file);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EyrieError('model_invalid', `${file} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}

const endIds = z
  .looseObject({
    eos_token_id: z.union([z.number(), z.array(z.number())], 'a token id or an array of them is expected').nullish(),
  })
  .nullable();
const listed = (ids: number | number[] | null | undefined): number[] => [ids ?? []].flat();
const tokenizerConfig = z.looseObject({ model_max_length: z.number().nullish() }).nullable();

const weightFile = /\.(safetensors|bin|index\.json)$/;

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (cause) {
    // A link to nowhere, as an unfinished download into a cache leaves it.
    throw new EyrieError('model_unreadable', `${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

async function digestOf(directory: string, texts: readonly (string | null)[]): Promise<string> {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text ?? '').update('\0');
  const names = (await readdir(directory)).filter((name) => weightFile.test(name)).toSorted();
  for (const name of names) hash.update(`${name}\0${await sizeOf(path.join(directory, name))}\0`);
  return `sha256:${hash.digest('hex')}`;
}

/** A repository name such as `tiiuae/falcon-40b`; configs saved from a local path name that path instead. */
const repositoryName = /^[A-Za-z0-9][\w.-]*(\/[\w.-]+)?$/;

function nameOf(config: FalconConfig, directory: string): string {
  const named = config._name_or_path ?? '';
  return repositoryName.test(named) ? named : path.basename(directory);
}

/** Reads all but the weights. `name` overrides the model's id. Throws `model_unreadable` or `model_invalid`. */
export async function readModelFolder(modelDirectory: string, name: string | null = null): Promise<ModelFolder> {
  const directory = path.resolve(modelDirectory);
  const at = (file: string): string => path.join(directory, file);
  const json = await readJson(at('config.json'));
  if (json === null)
    throw new EyrieError(
      'model_unreadable',
      `No config.json in ${directory}. Give the folder of a Falcon checkpoint.`,
      { param: 'model' },
    );
  const config = parseFalconConfig(json);
  const [generation, tokenizerSettings, tokenizerJson] = await Promise.all([
    readFields(at('generation_config.json'), endIds),
    readFields(at('tokenizer_config.json'), tokenizerConfig),
    readText(at('tokenizer.json')),
  ]);
  const id = name ?? nameOf(config, directory);
  return {
    directory,
    id,
    aliases: [path.basename(directory)].filter((alias) => alias !== id),
    shape: toFalconShape(config, tokenizerSettings?.model_max_length ?? null),
    config,
    endIds: { config: listed(config.eos_token_id), generation: listed(generation?.eos_token_id) },
    tokenizerJson,
    created: Math.floor((await stat(at('config.json'))).mtimeMs / 1000),
    digest: await digestOf(directory, [JSON.stringify(json), tokenizerJson]),
  };
}
