import { createWriteStream, type Stats } from 'node:fs';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { EyrieError } from '../domain/errors.js';

/** What the system says of a file, in words that name the file and the next step. */
export function fromFileError(error: unknown, file: string, what: string): EyrieError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC')
    return new EyrieError(
      'disk_full',
      `${file} could not be ${what}: the disk is full. Free some space and run again.`,
      { cause: error },
    );
  if (code === 'ENOENT')
    return new EyrieError('not_found', `${file} could not be ${what}: there is no such file or folder.`, {
      cause: error,
    });
  return new EyrieError('invalid_value', `${file} could not be ${what}: ${message}.`, { cause: error });
}

async function findFile(file: string): Promise<{ path: string; stats: Stats | null }> {
  try {
    return { path: await realpath(file), stats: await stat(file) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { path: file, stats: null };
    throw fromFileError(error, file, 'written');
  }
}

interface PartialFile {
  readonly path: string;
  readonly target: string;
}

/**
 * Where result lines go. A plain file is whole or absent: its lines go to `FILE.partial` first. A device or pipe takes them as
 * they come, and so does `-`, the standard output. A link stays a link.
 */
export class ResultFile {
  readonly #name: string;
  /** The partial file and what it becomes; null: lines go straight to their place. */
  readonly #partial: PartialFile | null;
  readonly #stream: Writable;
  #failure: Error | null = null;

  /**
   * Throws `invalid_value`, `not_found` or `disk_full` when nothing can be written there. `input`, the file that the results come of, is
   * refused too, under whatever name: they would replace it.
   */
  static async open(name: string, input: string | null = null): Promise<ResultFile> {
    if (name === '-') return new ResultFile(name, process.stdout, null);
    const { path, stats } = await findFile(name);
    const read = input === null || input === '-' ? null : await findFile(input);
    if (stats?.isFile() && read?.stats && read.stats.ino === stats.ino && read.stats.dev === stats.dev)
      throw new EyrieError(
        'invalid_value',
        `${name} is the input file itself (${String(input)}). Give another name for the results.`,
      );
    if (stats?.isDirectory())
      throw new EyrieError('invalid_value', `${name} is a folder. Give the name of a file for the results.`);
    const partial = stats && !stats.isFile() ? null : { path: `${path}.partial`, target: path };
    const stream = createWriteStream(partial?.path ?? path);
    try {
      await once(stream, 'open');
    } catch (error) {
      throw fromFileError(error, name, 'written');
    }
    return new ResultFile(name, stream, partial);
  }

  private constructor(name: string, stream: Writable, partial: PartialFile | null) {
    this.#name = name;
    this.#stream = stream;
    this.#partial = partial;
    stream.on('error', (error) => (this.#failure ??= error));
  }

  async write(line: string): Promise<void> {
    this.#check();
    // A failure while waiting is kept by the listener above.
    if (!this.#stream.write(line)) await once(this.#stream, 'drain').catch(() => undefined);
    this.#check();
  }

  async finish(): Promise<void> {
    if (this.#name === '-') return;
    this.#stream.end();
    // Rejects with a failure of the last lines, which no later write would meet.
    await finished(this.#stream).catch((error: unknown) => {
      throw fromFileError(error, this.#name, 'written');
    });
    if (this.#partial) await rename(this.#partial.path, this.#partial.target);
  }

  async abandon(): Promise<void> {
    if (this.#name === '-') return;
    this.#stream.destroy();
    if (this.#partial) await rm(this.#partial.path, { force: true });
  }

  #check(): void {
    if (this.#failure) throw fromFileError(this.#failure, this.#name, 'written');
  }
}
