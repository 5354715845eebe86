import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { loadReport } from './find-report.js';

/** Removes a report that was dealt with. Throws `not_found`. */
export async function deleteReport(
  { store, log }: Pick<World, 'store' | 'log'>,
  tenant: string,
  reportId: string,
): Promise<void> {
  const { createdMs } = await loadReport(store, tenant, reportId);
  await store.delete(keys.reportIndexEntry(tenant, createdMs, reportId));
  await store.delete(keys.report(tenant, reportId));
  log.info('report.deleted', { tenant, reportId });
}
