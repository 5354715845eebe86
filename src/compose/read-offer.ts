import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { completionWindows } from '../domain/completion-window.js';
import { EyrieError } from '../domain/errors.js';
import type { Offer } from '../domain/offer.js';
import type { PriceTable } from '../domain/prices.js';

export interface OfferSettings {
  readonly EYRIE_COMPLETION_WINDOWS: readonly string[];
  readonly EYRIE_PRICES_FILE?: string | undefined;
}

const amount = z.number('a number is required').min(0, '0 and above is allowed').max(1e9);

/** The prices file. Unknown members are refused: a misspelt one would silently be without effect. */
const pricesFile = z
  .strictObject({
    currency: z.string().regex(/^[A-Z]{3}$/, 'three capital letters, as in "USD", are required'),
    /** Per million tokens, by model id; `*` is any other. */
    models: z.record(z.string(), z.strictObject({ input: amount, output: amount })),
    /** Share taken off, by completion window. */
    discounts: z.record(z.string(), z.number().min(0, '0 to 1 is allowed').max(1, '0 to 1 is allowed')).default({}),
  })
  .readonly();

function invalid(file: string, path: string, message: string, cause?: unknown): EyrieError {
  return new EyrieError('config_invalid', `EYRIE_PRICES_FILE ${file}: ${path === '' ? '' : `${path}: `}${message}.`, {
    param: 'EYRIE_PRICES_FILE',
    cause,
  });
}

async function readPrices(file: string, windows: Offer['windows']): Promise<PriceTable> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw invalid(file, '', 'it cannot be read as JSON', cause);
  }
  const result = pricesFile.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw invalid(file, issue?.path.join('.') ?? '', issue?.message ?? 'it is not valid');
  }
  for (const window of Object.keys(result.data.discounts))
    if (!windows.has(window))
      throw invalid(file, `discounts.${window}`, 'no such completion window is offered; see EYRIE_COMPLETION_WINDOWS');
  return result.data;
}

/** Windows and prices of the configuration. Throws `config_invalid`. */
export async function readOffer(settings: OfferSettings): Promise<Offer> {
  const windows = completionWindows(settings.EYRIE_COMPLETION_WINDOWS);
  const file = settings.EYRIE_PRICES_FILE;
  return { windows, prices: file === undefined ? null : await readPrices(file, windows) };
}
