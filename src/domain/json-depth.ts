const quote = 0x22;
const backslash = 0x5c;

/**
 * Whether a JSON text nests no deeper than `depthMax`, judged on its bytes before it is parsed. Deep nesting is no valid request
 * and makes recursive code overflow its stack.
 */
export function nestsWithin(json: Uint8Array, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (inString) {
      if (byte === backslash) at++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > depthMax) return false;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return true;
}
