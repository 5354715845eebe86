/** Windows that a batch may ask for, by their name on the wire: `24h`, `90m`, `7d`. Seconds. */
export type CompletionWindows = ReadonlyMap<string, number>;

const unitSeconds: Readonly<Record<string, number>> = Object.freeze({ m: 60, h: 3600, d: 86_400 });

/** Seconds of a window's name; null when it is none. */
export function windowSeconds(name: string): number | null {
  const match = /^([1-9]\d{0,3})([mhd])$/.exec(name);
  return match ? Number(match[1]) * (unitSeconds[match[2] ?? ''] ?? 0) : null;
}

export const defaultWindow = '24h';

/** The windows of these names, and always `24h`, the one that every client knows. */
export function completionWindows(names: readonly string[]): CompletionWindows {
  const windows = new Map<string, number>();
  for (const name of [...names, defaultWindow]) {
    const seconds = windowSeconds(name);
    if (seconds !== null) windows.set(name, seconds);
  }
  return windows;
}
