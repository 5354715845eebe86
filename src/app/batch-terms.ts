import { EyrieError } from '../domain/errors.js';
import { batchPrice, type BatchPrice } from '../domain/prices.js';
import type { World } from './world.js';

/** When a batch of this window ends at the latest, Unix ms. Throws `invalid_value` for a window that is not offered. */
export function expiresAfterWindow({ offer }: Pick<World, 'offer'>, window: string, createdMs: number): number {
  const seconds = offer.windows.get(window);
  if (seconds === undefined)
    throw new EyrieError(
      'invalid_value',
      `Invalid value for 'completion_window': ${JSON.stringify(window)}. Offered here: ${[...offer.windows.keys()].map((name) => `"${name}"`).join(', ')}.`,
      { param: 'completion_window' },
    );
  return createdMs + seconds * 1000;
}

/** Unix ms of a deadline in Unix seconds. Throws `invalid_value` unless it lies between now and the end of the window. */
export function deadlineWithin(seconds: number | undefined, nowMs: number, expiresMs: number): number | null {
  if (seconds === undefined) return null;
  const deadlineMs = seconds * 1000;
  if (deadlineMs > nowMs && deadlineMs <= expiresMs) return deadlineMs;
  throw new EyrieError(
    'invalid_value',
    `Invalid value for 'eyrie.deadline': ${seconds}. It must lie behind now (${Math.floor(nowMs / 1000)}) and not behind the end of the completion window (${Math.floor(expiresMs / 1000)}).`,
    { param: 'eyrie.deadline' },
  );
}

export const priceOf = ({ offer, model }: Pick<World, 'offer' | 'model'>, window: string): BatchPrice | null =>
  batchPrice(offer.prices, model.id, window);
