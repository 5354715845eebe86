import type { BatchRecords } from './batch-records.js';

/** What a worker asks of the remembered records. */
export type PlannedBatches = Pick<BatchRecords, 'load'>;
