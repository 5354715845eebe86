import { toListPage, type ListPage } from '../../contract/file-object.js';
import type { ReportObject } from '../../contract/report-object.js';
import { EyrieError } from '../../domain/errors.js';
import { idPrefixes } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { readIndex, type ListOrder } from '../index-walk.js';
import { findReport } from './find-report.js';

const idOf = (key: string): string => key.slice(key.lastIndexOf(idPrefixes.report));

async function cursorKey(store: ObjectStore, tenant: string, after: string): Promise<string> {
  const found = await findReport(store, tenant, after);
  if (found) return keys.reportIndexEntry(tenant, found.createdMs, after);
  throw new EyrieError('invalid_value', `Invalid value for 'after': no report has the id '${after.slice(0, 80)}'.`, {
    param: 'after',
  });
}

/** A page of the tenant's reports. Throws `invalid_value` for an unknown `after`. */
export async function listReports(
  store: ObjectStore,
  tenant: string,
  page: { readonly after: string | null; readonly limit: number; readonly order: ListOrder },
): Promise<ListPage<ReportObject>> {
  const after = page.after === null ? null : await cursorKey(store, tenant, page.after);
  const { found, hasMore, last } = await readIndex(store, keys.reportIndex(tenant), { ...page, after }, async (key) => {
    const stored = await findReport(store, tenant, idOf(key));
    // An entry of another time: its report was filed twice at once, or its filing was cut off.
    return stored && keys.reportIndexEntry(tenant, stored.createdMs, idOf(key)) === key ? stored.report : null;
  });
  return toListPage(found, hasMore, last && idOf(last));
}
