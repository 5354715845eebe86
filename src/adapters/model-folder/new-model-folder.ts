import { chmod, copyFile, mkdtemp, open, readdir, realpath, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { EyrieError } from '../../domain/errors.js';

function fromFileError(cause: unknown, what: string): EyrieError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new EyrieError('disk_full', `${what}: the disk is full. Free some space and run again.`, { cause });
  return new EyrieError('invalid_value', `${what}: ${message}.`, { cause, param: 'out' });
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const namesIn = (folder: string): Promise<string[] | null> => readdir(folder).catch(() => null);

/** Why `target` may not be written, or null. A folder with something else in it is never deleted, whatever was asked for. */
async function objection(target: string, source: string, replace: boolean): Promise<EyrieError | null> {
  const refuse = (message: string): EyrieError => new EyrieError('invalid_value', message, { param: 'out' });
  const parent = await realpath(path.dirname(target)).catch(() => null);
  if (parent === null) return refuse(`${path.dirname(target)} does not exist. Create it, or choose another place.`);
  const [from, to] = [await realpath(source), path.join(parent, path.basename(target))];
  if (from === to || to.startsWith(from + path.sep) || from.startsWith(to + path.sep))
    return refuse(`${target} and the source ${source} lie in each other. Choose another place.`);
  const status = await stat(target).catch(() => null);
  if (status === null) return null;
  const names = status.isDirectory() ? await namesIn(target) : null;
  if (names === null) return refuse(`${target} exists and is not a folder that can be read. Choose another place.`);
  if (names.length === 0) return null;
  if (!names.includes('config.json'))
    return refuse(`${target} holds something that is no model. It will not be replaced; choose another place.`);
  return replace ? null : refuse(`${target} holds a model already. Choose another place, or replace it with --force.`);
}

/**
 * A model folder in the making: everything goes to a hidden folder beside the target, which is renamed when it is complete and
 * durable. The target is whole, or as it was before.
 */
export class NewModelFolder {
  /** Where the files go. */
  readonly directory: string;
  readonly #target: string;

  private constructor(directory: string, target: string) {
    this.directory = directory;
    this.#target = target;
  }

  /**
   * `bytesNeeded` is checked against the free space. Throws `invalid_value` (a target that exists, unless `replace` and it is a model;
   * a place that cannot be written) or `disk_full`.
   */
  static async create(out: string, source: string, replace: boolean, bytesNeeded: number): Promise<NewModelFolder> {
    const target = path.resolve(out);
    const reason = await objection(target, source, replace);
    if (reason) throw reason;
    const parent = path.dirname(target);
    const { bavail, bsize } = await statfs(parent);
    if (bavail * bsize < bytesNeeded)
      throw new EyrieError(
        'disk_full',
        `${parent} has ${(bavail * bsize).toLocaleString('en')} bytes free; ${bytesNeeded.toLocaleString('en')} are needed. Free some space.`,
      );
    try {
      const directory = await mkdtemp(path.join(parent, `.${path.basename(target)}.partial-`));
      // mkdtemp makes a folder for its owner alone; this one is to be as any other.
      await chmod(directory, 0o777 & ~process.umask());
      return new NewModelFolder(directory, target);
    } catch (cause) {
      throw fromFileError(cause, `${target} cannot be written`);
    }
  }

  async write(name: string, text: string): Promise<void> {
    try {
      const handle = await open(path.join(this.directory, name), 'wx');
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (cause) {
      throw fromFileError(cause, `${name} cannot be written`);
    }
  }

  async copy({ name, real }: { readonly name: string; readonly real: string }): Promise<void> {
    const copied = path.join(this.directory, name);
    try {
      await copyFile(real, copied);
      await sync(copied);
    } catch (cause) {
      throw fromFileError(cause, `${name} cannot be copied`);
    }
  }

  /** Moves the folder to its place. What was there before is deleted afterwards. */
  async publish(): Promise<void> {
    const parent = path.dirname(this.#target);
    try {
      await sync(this.directory);
      const replaced = `${this.directory}.replaced`;
      const occupied = ((await namesIn(this.#target)) ?? []).length > 0;
      if (occupied) await rename(this.#target, replaced);
      await rename(this.directory, this.#target);
      await sync(parent);
      if (occupied) await rm(replaced, { recursive: true });
    } catch (cause) {
      throw fromFileError(cause, `${this.#target} cannot be put in place`);
    }
  }

  async discard(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
