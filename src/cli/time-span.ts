import { EyrieError } from '../domain/errors.js';

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 24 * 3600 };

/** Seconds of a span such as `90s`, `15m`, `12h` or `30d`. Throws `invalid_value` that names the option. */
export function parseTimeSpan(text: string, option: string): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = secondsOf[unit];
  if (count === undefined || seconds === undefined)
    throw new EyrieError(
      'invalid_value',
      `Invalid value for '${option}': ${JSON.stringify(text.slice(0, 40))}. A number and s, m, h or d are required, e.g. 30d.`,
      { param: option },
    );
  return Number(count) * seconds;
}
