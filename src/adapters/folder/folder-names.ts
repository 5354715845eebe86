import type { Dirent } from 'node:fs';
import { opendir, readdir, stat } from 'node:fs/promises';
import { SharedRuns } from '../../domain/shared-runs.js';
import { NameTurns, mergeSorted, sortInTurns } from './sorted-names.js';

/** Entries read at once from a large folder: those are made into names in one turn. */
const entriesPerRead = 1024;
/** A folder that says to be no larger than this holds hundreds of names, and is read by one call, which costs a fifth. */
const smallFolderBytes = 32 * 1024;
/** Folders above this size are remembered between pages: reading 100,000 names again for each page of 1000 would be quadratic. */
const keptNamesMin = 1000;
const keptFoldersMax = 8;
/** Names of all folders that are remembered, but for the last: some 200 bytes each. */
const keptNamesMax = 1_000_000;
/** A folder changed this shortly before it was read may change again without its time showing it. */
const racyMs = 100;

interface Snapshot {
  /** By `performance.now()`: what was there then is in it, unless it has gone since. */
  readonly readMs: number;
  readonly mtimeNs: bigint;
  /** As long as the folder has this time, nothing has changed. */
  readonly isSettled: boolean;
  /** In key order; folders end in '/'. */
  readonly sorted: readonly string[];
  /** The same, each with the number of the last reading that met it. */
  readonly met: Map<string, number>;
}

/** Null: neither a file nor a folder. 'a/' sorts against 'a-b' and 'a.b' as the keys below it do. */
function nameOf(entry: Dirent): string | null {
  if (entry.isFile()) return entry.name;
  return entry.isDirectory() ? `${entry.name}/` : null;
}

/**
 * The names in folders, sorted. Users decide how many there are: a large folder is read and sorted in turns of the event loop, once
 * for all who ask at the same time, and when it has changed, only what is new is sorted.
 */
export class FolderNames {
  readonly #kept = new Map<string, Snapshot>();
  readonly #readings = new SharedRuns<Snapshot>();
  #readingsBegun = 0;

  /** Names in key order. `sinceMs`: what the folder held at that time or later is enough, by `performance.now()`. */
  async read(folder: string, sinceMs: number): Promise<readonly string[]> {
    const kept = this.#kept.get(folder);
    if (kept && kept.readMs >= sinceMs) return kept.sorted;
    const { mtimeNs, size } = await stat(folder, { bigint: true });
    if (kept?.isSettled && kept.mtimeNs === mtimeNs) return kept.sorted;
    // Some file systems do not know.
    if (kept || size > smallFolderBytes || size === 0n)
      return (await this.#readings.take(folder, () => this.#refreshed(folder))).sorted;
    const names = (await readdir(folder, { withFileTypes: true })).map(nameOf);
    return names.filter((name) => name !== null).sort();
  }

  async #refreshed(folder: string): Promise<Snapshot> {
    try {
      return await this.#refresh(folder);
    } catch (error) {
      // What is remembered may be half renewed.
      this.#kept.delete(folder);
      throw error;
    }
  }

  async #refresh(folder: string): Promise<Snapshot> {
    const [readMs, takenMs] = [performance.now(), Date.now()];
    const { mtimeNs } = await stat(folder, { bigint: true });
    const isSettled = takenMs - Number(mtimeNs / 1_000_000n) >= racyMs;
    const { sorted: known = [], met = new Map<string, number>() } = this.#kept.get(folder) ?? {};
    const reading = this.#readingsBegun++;
    const added: string[] = [];
    let stayed = 0;
    for await (const entry of await opendir(folder, { bufferSize: entriesPerRead })) {
      const name = nameOf(entry);
      if (name === null) continue;
      const before = met.get(name);
      // A folder that changes while it is read may show an entry twice.
      if (before === reading) continue;
      met.set(name, reading);
      if (before === undefined) added.push(name);
      else stayed++;
    }
    const turns = new NameTurns();
    const left = stayed === known.length ? known : await this.#stillMet(known, met, reading, turns);
    const sorted = await mergeSorted(left, await sortInTurns(added, turns), turns);
    const snapshot = { readMs, mtimeNs, isSettled, sorted, met };
    this.#keep(folder, snapshot);
    return snapshot;
  }

  /** Forgets the others. */
  async #stillMet(
    known: readonly string[],
    met: Map<string, number>,
    reading: number,
    turns: NameTurns,
  ): Promise<readonly string[]> {
    const left: string[] = [];
    for (const name of known) {
      if (met.get(name) === reading) left.push(name);
      else met.delete(name);
      if (turns.isDue) await turns.pause();
    }
    return left;
  }

  #keep(folder: string, snapshot: Snapshot): void {
    this.#kept.delete(folder);
    if (snapshot.sorted.length < keptNamesMin) return;
    let names = 0;
    for (const { sorted } of this.#kept.values()) names += sorted.length;
    for (const [oldest, { sorted }] of this.#kept) {
      if (this.#kept.size < keptFoldersMax && names <= keptNamesMax) break;
      this.#kept.delete(oldest);
      names -= sorted.length;
    }
    this.#kept.set(folder, snapshot);
  }
}
