import type { AttemptCounts } from '../../contract/batch-object.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';

export interface AttemptsOfBatch {
  readonly counts: AttemptCounts;
  /** Failed attempts at ranges of lines, those that ended with their worker included. */
  readonly rangeFailures: number;
  /** Shards of which anything was noted. */
  readonly shards: ReadonlySet<number>;
}

/** What was noted of the failures of a batch. Mostly nothing: one listing says so. */
export async function readBatchAttempts(store: ObjectStore, tenant: string, batchId: string): Promise<AttemptsOfBatch> {
  const prefix = keys.attempts(tenant, batchId);
  const shards = new Set<number>();
  const attempts = new Set<string>();
  let lost = 0;
  let failed = 0;
  for await (const { key } of listAll(store, prefix)) {
    const [step = '', ...rest] = key.slice(prefix.length).split('/');
    const name = rest.at(-1) ?? '';
    const isShard = /^\d{6}$/.test(step);
    if (isShard) shards.add(Number(step));
    if (name === 'part.jsonl') continue;
    const isLoss = rest[0] === 'lost' || name.startsWith('lost-');
    const [attempt = '', code] = name.split('.');
    if (isLoss) lost++;
    // A range's note without a code: its worker is counted among the lost when the queue gives the shard back.
    else if (code !== 'json') failed++;
    if (isShard && !isLoss) attempts.add(`${step}/${rest[0]}/${attempt}`);
  }
  return { counts: { workers_lost: lost, failed }, rangeFailures: attempts.size, shards };
}
