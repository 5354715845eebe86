import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { EyrieError } from '../../domain/errors.js';

const isIn = (file: string, folder: string): boolean => file.startsWith(folder + path.sep);

/**
 * The folders that a file of a checkpoint may be in: the checkpoint's own, and for a snapshot of the Hugging Face cache
 * (`models--X/snapshots/REVISION`, whose files are links) the `blobs` of the same repository.
 */
function homesOf(directory: string): readonly string[] {
  const repository = path.dirname(path.dirname(directory));
  const isSnapshot =
    path.basename(path.dirname(directory)) === 'snapshots' && path.basename(repository).startsWith('models--');
  return isSnapshot ? [directory, path.join(repository, 'blobs')] : [directory];
}

/**
 * Where a file of a checkpoint really is; null when there is none. Throws `model_invalid` for a link that leads out of the checkpoint:
 * whoever made the folder would choose what is read, and what a conversion copies.
 */
export async function resolveModelFile(directory: string, name: string): Promise<string | null> {
  const file = path.join(directory, name);
  try {
    const [home, real] = await Promise.all([realpath(directory), realpath(file)]);
    if (homesOf(home).some((folder) => isIn(real, folder))) return real;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unreadable(file, cause);
  }
  throw new EyrieError(
    'model_invalid',
    `${file} is a link that leads out of the checkpoint. Put the file itself there; links within the folder, and those of a Hugging Face cache to its own blobs, are followed.`,
  );
}

const unreadable = (file: string, cause: unknown): EyrieError =>
  new EyrieError('model_unreadable', `${file} cannot be read: ${(cause as Error).message}.`, { cause });

/**
 * The text of a small file of a checkpoint; null when there is none. What it is and how large is known before anything is read, so
 * a FIFO, a device or a file without end costs nothing. Throws `model_invalid`, `model_unreadable`.
 */
export async function readSmallFile(directory: string, name: string, bytesMax: number): Promise<string | null> {
  const real = await resolveModelFile(directory, name);
  const file = path.join(directory, name);
  if (real === null) return null;
  try {
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile())
        throw new EyrieError('model_invalid', `${file} is no regular file. Put the file itself there.`);
      if (stats.size > bytesMax)
        throw new EyrieError(
          'model_invalid',
          `${file} has ${stats.size} bytes; at most ${bytesMax} are allowed. It is no file of a Falcon checkpoint.`,
        );
      const bytes = Buffer.alloc(stats.size);
      let at = 0;
      while (at < bytes.length) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes.toString('utf8', 0, at);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof EyrieError) throw cause;
    throw unreadable(file, cause);
  }
}
