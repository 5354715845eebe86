import { hash } from 'node:crypto';
import { bounds } from '../bounds.js';
import { EyrieError } from '../errors.js';
import type { Endpoint } from '../served-model.js';

/** What was seen of a request while its bytes were read: bits of a number, since there may be very many of them. */
export const requestFacts = Object.freeze({
  isObject: 1,
  /** Members that are there and not null. */
  hasMethod: 2,
  hasUrl: 4,
  /** Its body is an object or an array. */
  hasBody: 8,
  /** The body has a member of that name. */
  hasMessages: 16,
});

const shownBytes = 200;
const closeBrace = 0x7d;
const lineFeed = 0x0a;

/**
 * The requests of a create call as they came, one JSON text after the other: they become lines of a batch file, and are parsed
 * where those are.
 */
export class InlineRequests {
  readonly #json: Uint8Array;
  readonly #start: number;
  #end: number;
  /** Ends of the requests, and what was seen of each. */
  readonly #ends: number[] = [];
  readonly #facts: number[] = [];
  #count = 0;
  /** Index of the first that is no object. */
  #wrong: number | null = null;

  /** Over `json` from `start` on, where whoever reads the body writes the requests. */
  constructor(json: Uint8Array, start: number) {
    this.#json = json;
    this.#start = start;
    this.#end = start;
  }

  get count(): number {
    return this.#count;
  }

  /** The next request ends before `end`. Throws `invalid_value` for more than a batch may have: nothing after them is looked at. */
  add(end: number, facts: number): void {
    if ((facts & requestFacts.isObject) === 0) this.#wrong ??= this.#count;
    if (++this.#count > bounds.batchLinesMax)
      throw new EyrieError(
        'invalid_value',
        `Invalid value for 'requests': it holds more than ${bounds.batchLinesMax} requests. At most ${bounds.batchLinesMax} requests are allowed in a batch. Send several batches.`,
        { param: 'requests', bound: 'batchLinesMax' },
      );
    this.#ends.push(end);
    this.#facts.push(facts);
    this.#end = end;
  }

  /** The first request that is no object; `shown` is how its text begins. */
  get wrong(): { readonly index: number; readonly shown: string } | null {
    const end = this.#wrong === null ? undefined : this.#ends[this.#wrong];
    if (this.#wrong === null || end === undefined) return null;
    const start = this.#wrong === 0 ? this.#start : (this.#ends[this.#wrong - 1] ?? 0);
    const text = new TextDecoder().decode(this.#json.subarray(start, Math.min(end, start + shownBytes)));
    return { index: this.#wrong, shown: text.length <= 60 ? text : `${text.slice(0, 57)}...` };
  }

  /** `method` and `url` may be left out where the body stands alone; the file then says them. */
  #added(facts: number, endpoint: Endpoint | undefined): string {
    if ((facts & requestFacts.hasBody) === 0) return '';
    const holds = (facts & requestFacts.hasMessages) !== 0 ? '/v1/chat/completions' : '/v1/completions';
    return (
      ((facts & requestFacts.hasMethod) !== 0 ? '' : ',"method":"POST"') +
      ((facts & requestFacts.hasUrl) !== 0 ? '' : `,"url":${JSON.stringify(endpoint ?? holds)}`)
    );
  }

  /** The batch file. */
  content(endpoint: Endpoint | undefined): Uint8Array {
    const added = this.#facts.map((facts) => this.#added(facts, endpoint));
    const bytes = added.reduce((sum, { length }) => sum + length + 1, this.#end - this.#start);
    const content = new Uint8Array(bytes);
    let from = this.#start;
    let to = 0;
    for (const [at, end] of this.#ends.entries()) {
      const more = added[at] ?? '';
      // What is added goes before the closing brace: of two members with one name the last counts, so a null is overruled.
      const head = more === '' ? end : end - 1;
      content.set(this.#json.subarray(from, head), to);
      to += head - from;
      for (let char = 0; char < more.length; char++) content[to++] = more.charCodeAt(char);
      if (head < end) content[to++] = closeBrace;
      content[to++] = lineFeed;
      from = end;
    }
    return content;
  }

  /** What stands for them where a whole call is compared with another. */
  toJSON(): { readonly sha256: string } {
    return { sha256: hash('sha256', this.#json.subarray(this.#start, this.#end)) };
  }
}
