import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { resolveModelFile } from './small-file.js';

export interface HashedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

const chunkBytes = 1 << 20;

/** Hashes of the named files of a folder, one after the other. Throws `model_unreadable`, or the reason of an abort. */
export async function hashFiles(
  directory: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<HashedFile[]> {
  const hashed: HashedFile[] = [];
  for (const name of names) {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of createReadStream(path.join(directory, name), { highWaterMark: chunkBytes, signal })) {
        hash.update(chunk as Uint8Array);
        bytes += (chunk as Uint8Array).length;
      }
    } catch (cause) {
      signal.throwIfAborted();
      throw new EyrieError('model_unreadable', `${name} cannot be read: ${(cause as Error).message}.`, { cause });
    }
    hashed.push({ name, bytes, sha256: hash.digest('hex') });
  }
  return hashed;
}

/** Tokenizer, chat template, model card and license; configs are written anew. */
const companion =
  /^(tokenizer\.json|tokenizer\.model|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|chat_template\.\w+|(README|LICEN[CS]E|NOTICE|ACCEPTABLE_USE_POLICY)(\.\w+)?)$/i;

/**
 * The files beside the weights that belong to a model, and where they really are. Throws `model_invalid` for a link that leads out of the
 * folder, and for a file that is too large.
 */
export async function companionFiles(
  directory: string,
): Promise<readonly { readonly name: string; readonly real: string }[]> {
  const names = (await readdir(directory)).filter((name) => companion.test(name)).toSorted();
  const files = await Promise.all(
    names.map(async (name) => {
      const real = await resolveModelFile(directory, name);
      const stats = real === null ? null : await stat(real);
      if (stats && stats.size > bounds.companionBytesMax)
        throw new EyrieError(
          'model_invalid',
          `${path.join(directory, name)} has ${stats.size} bytes; at most ${bounds.companionBytesMax} are copied. Remove it.`,
        );
      return stats?.isFile() ? [{ name, real: real ?? '' }] : [];
    }),
  );
  return files.flat();
}
