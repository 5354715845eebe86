import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { endTokenIds, parseFalconConfig, toFalconShape, type FalconConfig } from '../../contract/falcon-config.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { FalconShape } from '../../domain/falcon-shape.js';
import { readSmallFile, resolveModelFile } from './small-file.js';

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

/** The members of one of the small files that count here. Throws `model_invalid`. */
async function readFields<T>(directory: string, name: string, schema: z.ZodType<T>): Promise<T> {
  const file = path.join(directory, name);
  const result = schema.safeParse(await readJson(directory, name));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join('.') ?? '';
  throw new EyrieError(
    'model_invalid',
    `${file}: ${key || 'the file'} is not valid: ${issue?.message ?? 'unknown reason'}. Correct it, or remove the file.`,
  );
}

async function readJson(directory: string, name: string): Promise<unknown> {
  const text = await readSmallFile(directory, name, bounds.modelConfigBytesMax);
  const file = path.join(directory, name);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EyrieError('model_invalid', `${file} is not valid JSON: ${(cause as Error).message}.`, { cause });
  }
}

const endIds = z
  .looseObject({
    eos_token_id: endTokenIds.nullish(),
  })
  .nullable();
const listed = (ids: number | number[] | null | undefined): number[] => [ids ?? []].flat();
const tokenizerConfig = z.looseObject({ model_max_length: z.number().nullish() }).nullable();

const weightFile = /\.(safetensors|bin|index\.json)$/;

/** Also sees to it that the engine reads nothing that is no file, or that is elsewhere. */
async function sizeOf(directory: string, name: string): Promise<number> {
  const file = path.join(directory, name);
  try {
    const stats = await stat((await resolveModelFile(directory, name)) ?? file);
    if (stats.isFile()) return stats.size;
  } catch (cause) {
    if (cause instanceof EyrieError) throw cause;
    // A link to nowhere, as an unfinished download into a cache leaves it.
    throw new EyrieError('model_unreadable', `${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
  throw new EyrieError('model_invalid', `${file} is no regular file. Put the file itself there.`);
}

async function digestOf(directory: string, texts: readonly (string | null)[]): Promise<string> {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text ?? '').update('\0');
  const names = (await readdir(directory)).filter((name) => weightFile.test(name)).toSorted();
  for (const name of names) hash.update(`${name}\0${await sizeOf(directory, name)}\0`);
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
  const json = await readJson(directory, 'config.json');
  if (json === null)
    throw new EyrieError(
      'model_unreadable',
      `No config.json in ${directory}. Give the folder of a Falcon checkpoint.`,
      { param: 'model' },
    );
  const config = parseFalconConfig(json);
  const [generation, tokenizerSettings, tokenizerJson] = await Promise.all([
    readFields(directory, 'generation_config.json', endIds),
    readFields(directory, 'tokenizer_config.json', tokenizerConfig),
    readSmallFile(directory, 'tokenizer.json', bounds.tokenizerBytesMax),
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
