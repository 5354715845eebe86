import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bounds } from '../../domain/bounds.js';

/** So many times what they take must be free. */
const freeTimesMin = 2;

const nameOf = (n: number): string => String(n).padStart(3, '0');

/**
 * Files that keep some space for removals: a deletion begins with a record, and a full disk has no room for one. Such a record is
 * written into a spare file, whose blocks are there already, and which then becomes the object. So nobody else can take the space
 * in between. When the removals have made room, the spare files are made again.
 */
export class SpareFiles {
  readonly #folder: string;
  #checkedMs = -Infinity;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes those that are missing, as far as there is room. Never throws. */
  async fill(): Promise<void> {
    this.#checkedMs = performance.now();
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const there = new Set(await readdir(this.#folder));
      const { bavail, bsize } = await statfs(this.#folder);
      // On a very small disk they are of less use than what they would keep out.
      if (bavail * bsize < freeTimesMin * (bounds.spareFiles - there.size) * bounds.spareFileBytes) return;
      for (let n = 0; n < bounds.spareFiles; n++) {
        if (there.has(nameOf(n))) continue;
        const file = path.join(this.#folder, nameOf(n));
        try {
          // Not zeros, which some file systems keep without any block.
          await writeFile(file, randomBytes(bounds.spareFileBytes), { flag: 'wx', mode: 0o600 });
        } catch (error) {
          // EEXIST: another process makes it at this moment.
          if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
          await rm(file, { force: true });
          return;
        }
      }
    } catch {
      // The next try comes with the next removal.
    }
  }

  /** The same, when the last look is a while ago. */
  async refill(): Promise<void> {
    if (performance.now() - this.#checkedMs > bounds.spareFilledMs) await this.fill();
  }

  /** Takes a spare file: it has the new name from now on. False when there is none left. */
  async take(filePath: string): Promise<boolean> {
    this.#checkedMs = -Infinity;
    for (const name of await readdir(this.#folder))
      try {
        await rename(path.join(this.#folder, name), filePath);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // ENOENT: another took it
      }
    return false;
  }
}
