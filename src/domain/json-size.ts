import { bounds, type BoundName } from './bounds.js';

const quote = 0x22;
const backslash = 0x5c;
const zero = 0x30;
const nine = 0x39;

/** Names such as "50", which are token ids of a Falcon: at most so many digits, without a zero before them. */
const idDigitsMax = 5;

/** Whether the string whose quotes stand at `from` and `to` is such a name: engines keep these as indices of an array, at no cost to speak of. */
function isTokenId(json: Uint8Array, from: number, to: number): boolean {
  const digits = to - from - 1;
  if (digits < 1 || digits > idDigitsMax || (json[from + 1] === zero && digits > 1)) return false;
  for (let at = from + 1; at < to; at++) {
    const byte = json[at] ?? 0;
    if (byte < zero || byte > nine) return false;
  }
  return true;
}

export interface JsonExcess {
  readonly bound: BoundName;
  /** As the rest of a sentence about the text. */
  readonly what: string;
}

const excesses = {
  depth: { bound: 'jsonDepthMax', what: `nests deeper than ${bounds.jsonDepthMax} levels` },
  members: {
    bound: 'jsonMembersMax',
    what: `has more than ${bounds.jsonMembersMax} named members in its objects (those named by a token id, as in logit_bias, do not count)`,
  },
  containers: {
    bound: 'jsonContainersMax',
    what: `has more than ${bounds.jsonContainersMax} objects and arrays`,
  },
} as const satisfies Record<string, JsonExcess>;

/**
 * In what a JSON text exceeds what is parsed at all, judged on its bytes before it is parsed; null: in nothing. Deep nesting makes
 * recursive code overflow its stack, and a parser takes a microsecond for a new name and a tenth of one for an object: without these
 * bounds its time would not follow from the bytes. Numbers and texts cost no more than their bytes and are not counted.
 */
export function jsonExcess(json: Uint8Array): JsonExcess | null {
  const { length } = json;
  let depth = 0;
  let members = 0;
  let containers = 0;
  let from = 0;
  let to = 0;
  for (let at = 0; at < length; at++) {
    const byte = json[at];
    if (byte === quote) {
      from = at++;
      for (let next = json[at]; next !== quote && at < length; next = json[at]) at += next === backslash ? 2 : 1;
      to = at;
    } else if (byte === 0x3a) {
      if (!isTokenId(json, from, to) && ++members > bounds.jsonMembersMax) return excesses.members;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > bounds.jsonDepthMax) return excesses.depth;
      if (++containers > bounds.jsonContainersMax) return excesses.containers;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return null;
}
