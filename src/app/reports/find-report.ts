import { storedReport, type StoredReport } from '../../contract/report-object.js';
import { EyrieError } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { getJson } from '../stored-json.js';

export const findReport = async (store: ObjectStore, tenant: string, reportId: string): Promise<StoredReport | null> =>
  isId('report', reportId) ? getJson(store, keys.report(tenant, reportId), storedReport) : null;

/** Throws `not_found`, also for another tenant's id. */
export async function loadReport(store: ObjectStore, tenant: string, reportId: string): Promise<StoredReport> {
  const found = await findReport(store, tenant, reportId);
  if (!found) throw new EyrieError('not_found', `No report found with id '${reportId.slice(0, 80)}'.`);
  return found;
}
