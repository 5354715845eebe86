import { setImmediate as nextTurn } from 'node:timers/promises';
import { bounds } from '../../domain/bounds.js';

/** Names that are sorted, or passed on, without a look at the clock: well below a millisecond. */
const stepNames = 1024;

/** Lets others have their turn on the event loop when this work has had it for long enough. */
export class NameTurns {
  #since = performance.now();
  #steps = 0;

  /** To be asked for each name. */
  get isDue(): boolean {
    return ++this.#steps % stepNames === 0 && performance.now() - this.#since >= bounds.turnMs;
  }

  async pause(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}

/** One sorted list of two. */
export async function mergeSorted(
  one: readonly string[],
  other: readonly string[],
  turns: NameTurns,
): Promise<readonly string[]> {
  if (one.length === 0) return other;
  if (other.length === 0) return one;
  const merged: string[] = [];
  for (let i = 0, j = 0; i < one.length || j < other.length;) {
    const [a, b] = [one[i], other[j]];
    if (a !== undefined && (b === undefined || a < b)) {
      merged.push(a);
      i++;
    } else if (b !== undefined) {
      merged.push(b);
      j++;
    }
    if (turns.isDue) await turns.pause();
  }
  return merged;
}

/** Sorts by UTF-16 code unit, as `sort` does, for any number of names. */
export async function sortInTurns(names: readonly string[], turns: NameTurns): Promise<readonly string[]> {
  let runs: (readonly string[])[] = [];
  for (let at = 0; at < names.length; at += stepNames) {
    runs.push(names.slice(at, at + stepNames).sort());
    await turns.pause();
  }
  while (runs.length > 1) {
    const longer: (readonly string[])[] = [];
    for (let at = 0; at < runs.length; at += 2)
      longer.push(await mergeSorted(runs[at] ?? [], runs[at + 1] ?? [], turns));
    runs = longer;
  }
  return runs[0] ?? [];
}
