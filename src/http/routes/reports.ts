import type { z } from 'zod';
import { deleteReport } from '../../app/reports/delete-report.js';
import { fileReport } from '../../app/reports/file-report.js';
import { loadReport } from '../../app/reports/find-report.js';
import { listReports } from '../../app/reports/list-reports.js';
import type { World } from '../../app/world.js';
import { listOf } from '../../contract/list-query.js';
import { createReportRequest, deletedReport, reportObject, reportsQuery } from '../../contract/report-object.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

/** Answers that somebody found harmful, false or otherwise wrong. */
export function reportRoutes(world: World): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/reports',
      summary: 'Report a problem with an answer',
      access: 'reports:write',
      share: 'changes',
      body: createReportRequest,
      answer: reportObject,
      handle: ({ tenant, body }) => fileReport(world, tenant, body),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/reports',
      summary: 'List reports',
      access: 'reports:read',
      share: 'lists',
      query: reportsQuery,
      answer: listOf(reportObject),
      handle: ({ tenant, query }) => listReports(world.store, tenant, { ...query, after: query.after ?? null }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/reports/:report_id',
      summary: 'Show a report',
      access: 'reports:read',
      answer: reportObject,
      handle: async ({ tenant, params }) => (await loadReport(world.store, tenant, params['report_id'] ?? '')).report,
    }),
    defineRoute({
      method: 'DELETE',
      path: '/v1/reports/:report_id',
      summary: 'Remove a report that was dealt with',
      access: 'reports:write',
      share: 'changes',
      answer: deletedReport,
      handle: async ({ tenant, params }): Promise<z.output<typeof deletedReport>> => {
        const id = params['report_id'] ?? '';
        await deleteReport(world, tenant, id);
        return { id, object: 'report', deleted: true };
      },
    }),
  ];
}
