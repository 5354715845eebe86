import { listReports } from '../../app/reports/list-reports.js';
import type { ReportObject } from '../../contract/report-object.js';
import { bounds } from '../../domain/bounds.js';
import { note, print } from '../output.js';
import { checkTenant, type AdminWorld } from './admin-keys.js';

const pointer = ({ batch_id, custom_id, line, completion_id }: ReportObject): string =>
  completion_id ?? `${batch_id} ${line === null ? JSON.stringify(custom_id) : `line ${line}`}`;

/** `eyrie admin reports`. */
export async function listAdminReports(
  world: AdminWorld,
  options: { readonly tenant: string; readonly json: boolean },
): Promise<void> {
  const tenant = checkTenant(options.tenant);
  const found: ReportObject[] = [];
  let after: string | null = null;
  do {
    const page = await listReports(world.store, tenant, { after, limit: bounds.reportsPageMax, order: 'desc' });
    found.push(...page.data);
    after = page.has_more ? page.last_id : null;
  } while (after !== null);
  if (options.json) {
    print(JSON.stringify(found));
    return;
  }
  if (found.length === 0) note(`${tenant} has reported nothing.`);
  for (const report of found) {
    const time = new Date(report.created_at * 1000).toISOString().slice(0, 16).replace('T', ' ');
    // The comment is a stranger's text: as JSON it cannot move the cursor.
    const comment = report.comment === null ? '' : JSON.stringify(report.comment);
    print([report.id, time, report.reason.padEnd(12), pointer(report), comment].join('  ').trimEnd());
  }
}
