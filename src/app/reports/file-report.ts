import type { CreateReportRequest, ReportObject, StoredReport } from '../../contract/report-object.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { derivedId, idPrefixes } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { loadShownSubmit } from '../batch-records.js';
import { heldInList } from '../quotas/held-in-list.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { findReport } from './find-report.js';

/** The batch must be the tenant's and have that line. A custom_id is taken as it is: looking for it would read all results. */
async function checkPointer(world: Filer, tenant: string, request: CreateReportRequest): Promise<void> {
  const { batch_id: batchId, line } = request;
  if (batchId === undefined) return;
  await loadShownSubmit(world, tenant, batchId);
  const plan = line === undefined ? null : await world.records.planHead(tenant, batchId);
  const lines = plan?.kind === 'work' ? plan.lines : 0;
  if (line !== undefined && line > lines)
    throw new EyrieError('invalid_value', `Invalid value for 'line': ${line}. The batch has ${lines} lines.`, {
      param: 'line',
    });
}

type Filer = Pick<World, 'store' | 'records' | 'claims' | 'clock' | 'log' | 'idSecret'>;

type ReportContent = Omit<ReportObject, 'id' | 'object' | 'created_at'>;

const reportIdOf = (entry: string): string => entry.slice(entry.indexOf(idPrefixes.report));

const tooManyReports = (): EyrieError =>
  new EyrieError(
    'too_many_reports',
    `There are ${bounds.reportsMax} reports already. Delete those that were dealt with (DELETE /v1/reports/{report_id}).`,
    { bound: 'reportsMax' },
  );

/**
 * Takes a report about an answer. It is kept until it is deleted, and points at the answer without holding any of it. The same
 * report again is the same report. Throws `not_found`, `invalid_value`, `too_many_reports`.
 */
export async function fileReport(world: Filer, tenant: string, request: CreateReportRequest): Promise<ReportObject> {
  const { store } = world;
  const { batch_id, custom_id, line, completion_id, reason, comment } = request;
  const content = {
    batch_id: batch_id ?? null,
    custom_id: custom_id ?? null,
    line: line ?? null,
    completion_id: completion_id ?? null,
    reason,
    comment: comment ?? null,
  };
  const id = derivedId('report', world.idSecret, tenant, JSON.stringify(content));
  const earlier = await findReport(store, tenant, id);
  if (earlier) return earlier.report;
  await checkPointer(world, tenant, request);
  return world.claims.take(
    {
      kind: 'reports',
      tenant,
      id,
      limit: bounds.reportsMax,
      held: () => heldInList(store, keys.reportIndex(tenant), bounds.reportsMax, reportIdOf),
      refusal: tooManyReports,
    },
    () => keepReport(world, tenant, id, content),
  );
}

async function keepReport(world: Filer, tenant: string, id: string, content: ReportContent): Promise<ReportObject> {
  const { store } = world;
  const createdMs = world.clock.now();
  const report: ReportObject = { id, object: 'report', created_at: Math.floor(createdMs / 1000), ...content };
  // The list first: no report is kept that the list does not show.
  await store.put(keys.reportIndexEntry(tenant, createdMs, id), Buffer.of());
  const { created } = await createJson(store, keys.report(tenant, id), {
    v: 1,
    createdMs,
    report,
  } satisfies StoredReport);
  if (!created) return (await findReport(store, tenant, id))?.report ?? report;
  world.log.warn('report.filed', { tenant, reportId: id, batchId: content.batch_id, reason: content.reason });
  return report;
}
