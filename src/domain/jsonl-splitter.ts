/** One physical line of a JSONL stream, without its line end. */
export interface JsonlLine {
  /** 1-based, counts blank lines too. */
  readonly number: number;
  /** Offset of the first byte of the line in the stream. */
  readonly start: number;
  /** Offset behind the line's last byte, line end included: where the next line starts. */
  readonly end: number;
  /** The bytes; null when the line is longer than the limit (its rest is skipped, not kept). */
  readonly bytes: Uint8Array | null;
  /** Length of the line without its line end. */
  readonly length: number;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Cuts a stream of chunks into lines on byte 0x0A, in memory bounded by one line. A carriage return before the line feed and a
 * byte order mark at the start belong to no line. Byte offsets let a shard be read again by a ranged GET.
 */
export class JsonlSplitter {
  readonly #lineBytesMax: number;
  readonly #skipBlank: boolean;
  #pieces: Uint8Array[] = [];
  #held = 0;
  #length = 0;
  #start = 0;
  #offset = 0;
  #number = 1;

  /** `skipBlank`: blank lines are counted, but not given out, so that a file of nothing else costs no more than its bytes. */
  constructor(lineBytesMax: number, skipBlank = false) {
    this.#lineBytesMax = lineBytesMax;
    this.#skipBlank = skipBlank;
  }

  /** Lines completed by this chunk. The chunk's bytes may be referred to until the next call. */
  *feed(chunk: Uint8Array): Generator<JsonlLine> {
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(lineFeed, from);
      if (at < 0) break;
      if (this.#skipBlank && this.#length === 0 && isBlankBetween(chunk, from, at)) {
        this.#offset += at + 1 - from;
        this.#start = this.#offset;
        this.#number++;
        from = at + 1;
        continue;
      }
      this.#hold(chunk.subarray(from, at));
      this.#offset += at + 1 - from;
      yield this.#finish();
      from = at + 1;
    }
    if (from < chunk.length) {
      // Copied: the caller may reuse its buffer before the line ends.
      this.#hold(chunk.slice(from));
      this.#offset += chunk.length - from;
    }
  }

  /** The last line, when the stream did not end with a line feed. */
  *end(): Generator<JsonlLine> {
    if (this.#length > 0) yield this.#finish();
  }

  #hold(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#held + piece.length > this.#lineBytesMax + 4) {
      this.#pieces = [];
      this.#held = Infinity; // too long: nothing of this line is kept
    } else if (piece.length > 0) {
      this.#pieces.push(piece);
      this.#held += piece.length;
    }
  }

  #finish(): JsonlLine {
    const [first] = this.#pieces;
    let bytes: Uint8Array | null = null;
    if (this.#held !== Infinity) {
      bytes = this.#pieces.length === 1 && first ? first : Buffer.concat(this.#pieces, this.#held);
      if (bytes.at(-1) === carriageReturn) bytes = bytes.subarray(0, -1);
      if (this.#number === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
      if (bytes.length > this.#lineBytesMax) bytes = null;
    }
    const line: JsonlLine = {
      number: this.#number,
      start: this.#start,
      end: this.#offset,
      bytes,
      length: bytes?.length ?? this.#length,
    };
    this.#pieces = [];
    this.#held = 0;
    this.#length = 0;
    this.#start = this.#offset;
    this.#number++;
    return line;
  }
}

/** Lines of a whole stream; most blank ones are left out. */
export async function* splitJsonl(source: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<JsonlLine> {
  const splitter = new JsonlSplitter(lineBytesMax, true);
  for await (const chunk of source) yield* splitter.feed(chunk);
  yield* splitter.end();
}

function isBlankBetween(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== carriageReturn) return false;
  }
  return true;
}

/** Spaces, tabs and line ends only: such a line is skipped and not counted. */
export const isBlank = (bytes: Uint8Array): boolean => isBlankBetween(bytes, 0, bytes.length);
