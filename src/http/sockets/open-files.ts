import { bounds } from '../../domain/bounds.js';

interface LimitsReport {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}

/** Connections that a process may hold by its limit of open files: a part of it, since the store and Redis need some too. */
export const connectionsFor = (openFiles: number): number =>
  Math.max(1, Math.min(bounds.connectionsMax, Math.floor(openFiles * bounds.connectionsShare)));

/** The same for this process, as its limit stands now; where it is not known, as many as the bound says. */
export function connectionsAllowed(): number {
  // Else the report looks the names of remote addresses up.
  Reflect.set(process.report, 'excludeNetwork', true);
  const { userLimits } = process.report.getReport() as LimitsReport;
  const soft = userLimits?.open_files?.soft;
  return connectionsFor(typeof soft === 'number' ? soft : Infinity);
}
