import { bounds } from '../bounds.js';
import { EyrieError } from '../errors.js';
import { InlineRequests, requestFacts } from './inline-requests.js';
import { escapeEnd, isWhite, literalEnd, numberEnd } from './json-tokens.js';

const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;

/** What may come next. */
type Next = 'value' | 'first value' | 'first name' | 'name' | 'colon' | 'comma' | 'end';

const { isObject, hasMethod, hasUrl, hasBody, hasMessages } = requestFacts;

const namesLooked = new Set(['requests', 'eyrie', 'method', 'url', 'body', 'messages']);
/** The longest of them. */
const nameCharsMax = 8;

/** Copies within the buffer, to a place before `from`. */
function moveBack(json: Uint8Array, to: number, from: number, end: number): void {
  if (end - from > 32) json.copyWithin(to, from, end);
  else while (from < end) json[to++] = json[from++] ?? 0;
}

/** A name of a member when it is one of those looked for; its quotes stand before `from` and at `to`. */
function lookedFor(json: Uint8Array, from: number, to: number): string | null {
  let name = '';
  for (let at = from; at < to;) {
    let code = json[at] ?? 0;
    if (code === backslash) {
      // Of the escapes only those by number give letters.
      code = json[at + 1] === 0x75 ? Number.parseInt(String.fromCharCode(...json.subarray(at + 2, at + 6)), 16) : 0;
      at += 6;
    } else at++;
    if (code < 0x61 || code > 0x7a || name.length === nameCharsMax) return null;
    name += String.fromCharCode(code);
  }
  return namesLooked.has(name) ? name : null;
}

function concat(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The rest of the body as a text in which `[n]` stands for the list of requests number n. */
export interface InlineBody {
  readonly rest: Uint8Array;
  readonly lists: readonly InlineRequests[];
}

/**
 * Takes the body of a create call apart without parsing it: `requests`, at the top or in `eyrie`, may hold megabytes that become
 * lines of a file as they are. Checks that all of it is JSON, in one pass whose time follows from the bytes alone; call `step` until
 * it is done. White space between tokens is taken out of the requests in place, so the buffer is the reader's from then on.
 */
export class InlineBodyReader {
  readonly #json: Uint8Array;
  #at: number;
  #next: Next = 'value';
  /** The containers that are open: their opening bytes. */
  readonly #open: number[] = [];
  /** Member names of interest by depth: that of the member whose value is being read. */
  readonly #names: (string | null)[] = [];
  /** A string under way: where it began. */
  #string: number | null = null;

  readonly #lists: InlineRequests[] = [];
  #list: InlineRequests | null = null;
  /** Depth of the list that is being read; 0: none. */
  #listDepth = 0;
  /** Of the request that is being read. */
  #facts = 0;
  #inRequest = false;
  /** Where the next byte of a request is written to, and the first byte of it that was not written yet. */
  #write = 0;
  #unwritten = 0;

  readonly #rest: Uint8Array[] = [];
  #restBytes = 0;
  #restFrom: number;

  constructor(json: Uint8Array) {
    this.#json = json;
    // A byte order mark is allowed, as for every body.
    this.#at = json[0] === 0xef && json[1] === 0xbb && json[2] === 0xbf ? 3 : 0;
    this.#restFrom = this.#at;
  }

  /** Reads some `bytes` more, or a number that is longer. Returns the body once it was read to its end. Throws `invalid_json`. */
  step(bytes: number): InlineBody | null {
    const json = this.#json;
    const until = Math.min(json.length, this.#at + bytes);
    while (this.#at < until) {
      if (this.#string !== null) this.#readString(until);
      else if (isWhite(json[this.#at])) this.#skipWhite();
      else this.#readToken(json[this.#at] ?? 0);
    }
    this.#checkRest();
    if (this.#at < json.length) return null;
    if (this.#string !== null || this.#next !== 'end') throw this.#invalid();
    this.#keep(new Uint8Array(json.subarray(this.#restFrom)));
    return { rest: concat(this.#rest, this.#restBytes), lists: this.#lists };
  }

  #checkRest(): void {
    const bytes = this.#restBytes + (this.#listDepth > 0 ? 0 : this.#at - this.#restFrom);
    if (bytes > bounds.jsonBodyBytesMax)
      throw new EyrieError(
        'body_too_large',
        `The body is too large: at most ${bounds.jsonBodyBytesMax} bytes are allowed beside the requests.`,
        { bound: 'jsonBodyBytesMax' },
      );
  }

  #keep(piece: Uint8Array): void {
    this.#rest.push(piece);
    this.#restBytes += piece.length;
  }

  #invalid(): EyrieError {
    return new EyrieError('invalid_json', 'The body is not valid JSON: check commas, quotes and brackets.');
  }

  get #depth(): number {
    return this.#open.length;
  }

  #skipWhite(): void {
    const from = this.#at;
    while (isWhite(this.#json[this.#at])) this.#at++;
    if (this.#inRequest) this.#flush(from);
  }

  /** Writes what was read of the request up to `end`, and goes on after it. */
  #flush(end: number): void {
    if (this.#write < this.#unwritten) moveBack(this.#json, this.#write, this.#unwritten, end);
    this.#write += end - this.#unwritten;
    this.#unwritten = this.#at;
  }

  #readToken(byte: number): void {
    const next = this.#next;
    if (next === 'value' || next === 'first value') {
      if (next === 'first value' && byte === closeBracket) this.#close(byte);
      else this.#beginValue(byte);
    } else if (next === 'name' || next === 'first name') {
      if (byte === quote) this.#string = this.#at++;
      else if (next === 'first name' && byte === closeBrace) this.#close(byte);
      else throw this.#invalid();
    } else if (next === 'colon') {
      if (byte !== colon) throw this.#invalid();
      this.#at++;
      this.#next = 'value';
    } else if (next === 'comma' && byte === comma) {
      this.#at++;
      this.#next = this.#open.at(-1) === openBrace ? 'name' : 'value';
    } else if (next === 'comma') this.#close(byte);
    else throw this.#invalid();
  }

  #beginValue(byte: number): void {
    if (this.#listDepth > 0 && this.#depth === this.#listDepth) this.#beginRequest(byte);
    this.#note(byte);
    if (byte === quote) this.#string = this.#at++;
    else if (byte === openBrace || byte === openBracket) this.#openContainer(byte);
    else {
      const end =
        byte === 0x2d || (byte >= 0x30 && byte <= 0x39)
          ? numberEnd(this.#json, this.#at)
          : literalEnd(this.#json, this.#at);
      if (end < 0) throw this.#invalid();
      this.#at = end;
      this.#endValue();
    }
  }

  #openContainer(byte: number): void {
    if (this.#depth === bounds.jsonDepthMax)
      throw new EyrieError('invalid_json', `The body nests deeper than ${bounds.jsonDepthMax} levels.`, {
        bound: 'jsonDepthMax',
      });
    const isList = byte === openBracket && this.#isListHere();
    this.#open.push(byte);
    this.#names[this.#depth] = null;
    this.#at++;
    this.#next = byte === openBrace ? 'first name' : 'first value';
    if (isList) this.#beginList();
  }

  /** Whether a list of requests begins here: the value of `requests` at the top, or of that in `eyrie`. */
  #isListHere(): boolean {
    const depth = this.#depth;
    if (this.#listDepth > 0 || depth < 1 || depth > 2 || this.#open.at(-1) !== openBrace) return false;
    return this.#names[depth] === 'requests' && (depth === 1 || this.#names[1] === 'eyrie');
  }

  #beginList(): void {
    this.#listDepth = this.#depth;
    this.#keep(new Uint8Array(this.#json.subarray(this.#restFrom, this.#at)));
    this.#keep(Uint8Array.from(String(this.#lists.length), (digit) => digit.charCodeAt(0)));
    this.#write = this.#lists.length === 0 ? this.#at : this.#write;
    this.#list = new InlineRequests(this.#json, this.#write);
    this.#lists.push(this.#list);
  }

  #beginRequest(byte: number): void {
    this.#facts = byte === openBrace ? isObject : 0;
    this.#inRequest = true;
    this.#unwritten = this.#at;
  }

  /** Notes of the request what its value at this place says: the last of several members with one name counts. */
  #note(byte: number): void {
    if (!this.#inRequest || this.#depth !== this.#listDepth + 1 || this.#open[this.#listDepth] !== openBrace) return;
    const name = this.#names[this.#depth];
    const set = (fact: number, isSet: boolean): number => (isSet ? this.#facts | fact : this.#facts & ~fact);
    const isThere = byte !== 0x6e; // of null
    if (name === 'method') this.#facts = set(hasMethod, isThere);
    else if (name === 'url') this.#facts = set(hasUrl, isThere);
    else if (name === 'body') this.#facts = set(hasBody, byte === openBrace || byte === openBracket) & ~hasMessages;
  }

  /** The string up to its end, or up to `until` and an escape more. */
  #readString(until: number): void {
    const json = this.#json;
    let at = this.#at;
    while (at < until) {
      const byte = json[at] ?? 0;
      if (byte === quote) {
        this.#at = at + 1;
        this.#endString();
        return;
      }
      if (byte < 0x20) throw this.#invalid();
      at = byte === backslash ? escapeEnd(json, at) : at + 1;
      if (at < 0) throw this.#invalid();
    }
    this.#at = at;
  }

  #endString(): void {
    const from = this.#string ?? 0;
    this.#string = null;
    if (this.#next === 'name' || this.#next === 'first name') {
      this.#names[this.#depth] = !this.#isNameLookedFor ? null : lookedFor(this.#json, from + 1, this.#at - 1);
      this.#next = 'colon';
      if (this.#inRequest && this.#names[this.#depth] === 'messages' && this.#isInBody) this.#facts |= hasMessages;
    } else this.#endValue();
  }

  get #isNameLookedFor(): boolean {
    return this.#listDepth > 0 ? this.#depth <= this.#listDepth + 2 : this.#depth <= 2;
  }

  get #isInBody(): boolean {
    const list = this.#listDepth;
    return this.#depth === list + 2 && this.#names[list + 1] === 'body' && this.#open[list] === openBrace;
  }

  #close(byte: number): void {
    const opened = this.#open.pop();
    const fits = opened === openBrace ? byte === closeBrace : opened === openBracket && byte === closeBracket;
    if (!fits) throw this.#invalid();
    if (this.#listDepth > this.#depth) {
      this.#listDepth = 0;
      this.#restFrom = this.#at;
    }
    this.#at++;
    this.#endValue();
  }

  #endValue(): void {
    this.#next = this.#depth === 0 ? 'end' : 'comma';
    if (!this.#inRequest || this.#depth !== this.#listDepth) return;
    this.#flush(this.#at);
    this.#list?.add(this.#write, this.#facts);
    this.#inRequest = false;
  }
}
