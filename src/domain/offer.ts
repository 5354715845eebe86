import { completionWindows, type CompletionWindows } from './completion-window.js';
import type { PriceTable } from './prices.js';

/** What the operator offers to all tenants. */
export interface Offer {
  readonly windows: CompletionWindows;
  /** null: nothing has a price. */
  readonly prices: PriceTable | null;
}

export const plainOffer: Offer = Object.freeze({ windows: completionWindows([]), prices: null });
