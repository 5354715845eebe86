/**
 * How many bytes at the end of a text may still turn out to be the beginning of a stop string: the longest tail with which some
 * stop string begins. A text that goes on can be shown up to there: no stop string that is completed later begins earlier.
 */
export function heldBack(text: Uint8Array, stops: readonly Uint8Array[]): number {
  const longest = stops.reduce((most, stop) => Math.max(most, stop.length), 0);
  for (let tail = Math.min(text.length, longest - 1); tail > 0; tail--) {
    const end = text.subarray(text.length - tail);
    if (stops.some((stop) => stop.length > tail && Buffer.compare(stop.subarray(0, tail), end) === 0)) return tail;
  }
  return 0;
}
