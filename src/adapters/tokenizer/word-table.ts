/** FNV-1a over the characters. */
function hashOf(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** `array`, or one twice as large with its content, so that `more` elements fit behind `used`. */
function withRoom<T extends Uint8Array | Uint32Array>(array: T, used: number, more: number): T {
  if (used + more <= array.length) return array;
  const Kind = array.constructor as new (length: number) => T;
  const larger = new Kind(Math.max(2 * array.length, used + more));
  larger.set(array);
  return larger;
}

/** A word that finds no place in so many buckets is not taken: texts made to collide cost no more than unknown words do. */
const probesMax = 16;

/**
 * ASCII words and the token ids of each, in flat arrays: a word is found where it stands in a text, without a string of its own.
 * A JavaScript map would cost a string and a hash of it for each word of each text, and several times the memory.
 */
export class WordTable {
  readonly #wordsMax: number;
  /** Open addressing: number of the word + 1, or 0. Never more than half full. */
  readonly #buckets: Uint32Array;
  /** Word w is `#characters` from `#characterEnds[w]` to `#characterEnds[w + 1]`; likewise its ids. */
  readonly #characterEnds: Uint32Array;
  readonly #idEnds: Uint32Array;
  #characters = new Uint8Array(4096);
  #ids = new Uint32Array(4096);
  #words = 0;

  /** Words beyond `wordsMax` are not taken. */
  constructor(wordsMax: number) {
    this.#wordsMax = wordsMax;
    this.#buckets = new Uint32Array(2 ** Math.ceil(Math.log2(2 * wordsMax)));
    this.#characterEnds = new Uint32Array(wordsMax + 1);
    this.#idEnds = new Uint32Array(wordsMax + 1);
  }

  get isFull(): boolean {
    return this.#words === this.#wordsMax;
  }

  /** Number of the word `text` from `start` to `end`; -1 when it is not here. */
  find(text: string, start: number, end: number): number {
    const hash = hashOf(text, start, end);
    for (let probe = 0; probe < probesMax; probe++) {
      const word = (this.#buckets[this.#bucket(hash, probe)] ?? 0) - 1;
      if (word < 0 || this.#is(word, text, start, end)) return word;
    }
    return -1;
  }

  /** Takes a word that is not here yet, unless there is no place for it. */
  add(word: string, ids: readonly number[]): void {
    if (this.#words === this.#wordsMax) return;
    const hash = hashOf(word, 0, word.length);
    let probe = 0;
    while (probe < probesMax && this.#buckets[this.#bucket(hash, probe)] !== 0) probe++;
    if (probe === probesMax) return;
    this.#buckets[this.#bucket(hash, probe)] = this.#words + 1;
    const number = this.#words++;
    const from = this.#characterEnds[number] ?? 0;
    this.#characters = withRoom(this.#characters, from, word.length);
    for (let at = 0; at < word.length; at++) this.#characters[from + at] = word.charCodeAt(at);
    this.#characterEnds[number + 1] = from + word.length;
    const idsFrom = this.#idEnds[number] ?? 0;
    this.#ids = withRoom(this.#ids, idsFrom, ids.length);
    this.#ids.set(ids, idsFrom);
    this.#idEnds[number + 1] = idsFrom + ids.length;
  }

  /** Writes the ids of a word into `target` from `at` on; returns the place behind them. */
  copyIds(word: number, target: Uint32Array, at: number): number {
    const end = this.#idEnds[word + 1] ?? 0;
    for (let from = this.#idEnds[word] ?? 0; from < end; from++) target[at++] = this.#ids[from] ?? 0;
    return at;
  }

  /** A power of two of them: the mask keeps the number below their count. */
  #bucket(hash: number, probe: number): number {
    return (hash + probe) & (this.#buckets.length - 1);
  }

  #is(word: number, text: string, start: number, end: number): boolean {
    const from = this.#characterEnds[word] ?? 0;
    if ((this.#characterEnds[word + 1] ?? 0) - from !== end - start) return false;
    for (let at = start; at < end; at++) if (this.#characters[from + at - start] !== text.charCodeAt(at)) return false;
    return true;
  }
}
