import type { StoredEvent } from '../../contract/stored-webhooks.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { findManifest } from '../batch-records.js';
import { findLastNews } from './progress-news.js';

/** Why an event is of no use any more; null: it is. News of a running batch is not, once the batch has ended or newer news is out. */
export async function overtakenBy(
  store: ObjectStore,
  { tenant, type, batchId, createdMs, test }: StoredEvent,
): Promise<string | null> {
  if (test || batchId === null || (type !== 'batch.progress' && type !== 'batch.at_risk')) return null;
  if (await findManifest(store, tenant, batchId)) return 'the batch has ended';
  if (type === 'batch.at_risk') return null;
  const last = await findLastNews(store, tenant, batchId);
  return last && last.ms > createdMs ? 'newer news is out' : null;
}
