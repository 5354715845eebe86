import { createHash } from 'node:crypto';
import { bounds } from './bounds.js';

/** A number in [0, 1) that looks random but follows from the text. */
function spreadOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/**
 * The wait behind the `attempts`-th failed attempt of a delivery, ms; null when the schedule has ended. It is spread by the
 * delivery's own name, and only upwards: the whole schedule lasts three days at least.
 */
export function retryDelayMs(delivery: string, attempts: number): number | null {
  const delay = bounds.webhookRetryDelaysMs[attempts];
  if (delay === undefined) return null;
  return Math.round(delay * (1 + bounds.webhookRetrySpread * spreadOf(`${delivery} ${attempts}`)));
}
