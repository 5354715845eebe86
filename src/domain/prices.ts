/** What a million tokens cost. Amounts are in the table's currency. */
export interface TokenPrice {
  readonly input: number;
  readonly output: number;
}

export interface PriceTable {
  /** ISO 4217, e.g. `USD`. */
  readonly currency: string;
  /** By model id; `*` is any other. */
  readonly models: Readonly<Record<string, TokenPrice>>;
  /** Share taken off per completion window, 0 to 1. */
  readonly discounts: Readonly<Record<string, number>>;
}

/** The price of one batch: noted when it is accepted, so that a later change of the table does not reach it. */
export interface BatchPrice extends TokenPrice {
  readonly currency: string;
  readonly discount: number;
}

/** null: there is no price for this model. */
export function batchPrice(table: PriceTable | null, model: string, window: string): BatchPrice | null {
  if (!table) return null;
  const of = (name: string): TokenPrice | undefined =>
    Object.hasOwn(table.models, name) ? table.models[name] : undefined;
  const price = of(model) ?? of('*');
  if (!price) return null;
  const discount = Object.hasOwn(table.discounts, window) ? (table.discounts[window] ?? 0) : 0;
  return { currency: table.currency, input: price.input, output: price.output, discount };
}

/** To a millionth of the currency: exact enough for one line, and no binary noise in the JSON. */
const rounded = (amount: number): number => Math.round(amount * 1e6) / 1e6;

export const costOf = (price: BatchPrice, inputTokens: number, outputTokens: number): number =>
  rounded(((inputTokens * price.input + outputTokens * price.output) / 1e6) * (1 - price.discount));
