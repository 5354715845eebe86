import { bounds } from './bounds.js';

/** What a tenant may take up at most; null = no limit. */
export interface Quotas {
  /** Upper bound of the tokens of all its open batches together. */
  readonly queuedTokens: number | null;
  /** Uploaded files, bytes. */
  readonly filesBytes: number | null;
  /** Stored results, and all else that is kept of batches, bytes. */
  readonly resultsBytes: number | null;
  /** Results and open uploads too. */
  readonly files: number | null;
  readonly openBatches: number | null;
  /** Per process of the API. */
  readonly requestsPerMinute: number | null;
}

export const defaultQuotas: Quotas = Object.freeze({
  queuedTokens: bounds.queuedTokensDefault,
  filesBytes: bounds.filesBytesDefault,
  resultsBytes: bounds.resultsBytesDefault,
  files: bounds.filesPerTenant,
  openBatches: bounds.openBatchesDefault,
  requestsPerMinute: bounds.requestsPerMinute,
});
