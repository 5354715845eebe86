/**
 * A bucket that holds a minute's worth of tokens and fills steadily, so that a burst after a pause is fine and a loop is not. All
 * that is kept of it is the time at which it will be full again: a bucket that nobody has taken from for a minute needs no memory.
 */
export interface TokenTake {
  /** Whether a token was there; if not, nothing was taken. */
  readonly taken: boolean;
  /** Tokens left, with their fraction. */
  readonly left: number;
  readonly fullMs: number;
}

const minuteMs = 60_000;
/** So much may be missing from a whole token: sums of fractions of a minute do not come out even. */
const dust = 1e-6;

/** `fullMs` is null for a bucket that nobody has taken from yet. */
export function takeToken(fullMs: number | null, perMinute: number, nowMs: number): TokenTake {
  const tokenMs = minuteMs / perMinute;
  // No bucket is more than a minute from full, so a clock that was set back costs its tenant no more than that.
  const full = Math.min(Math.max(fullMs ?? nowMs, nowMs), nowMs + minuteMs);
  const left = perMinute - (full - nowMs) / tokenMs;
  if (left < 1 - dust) return { taken: false, left: Math.max(0, left), fullMs: full };
  return { taken: true, left: Math.max(0, left - 1), fullMs: full + tokenMs };
}
