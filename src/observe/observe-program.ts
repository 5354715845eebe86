import type { Log } from '../ports/log.js';
import type { Metrics } from './metrics.js';
import { startOperatorServer } from './operator-server.js';

export interface ObserveSettings {
  readonly EYRIE_OPERATOR_HOST: string;
  readonly EYRIE_OPERATOR_PORT?: number | undefined;
}

export interface Observed {
  readonly metrics: Metrics;
  /** null: nothing listens. */
  readonly operatorPort: number | null;
  close(): Promise<void>;
}

/** Lets the operator look at a program, when its settings name a port. */
export async function observeProgram(metrics: Metrics, log: Log, settings: ObserveSettings): Promise<Observed> {
  const { EYRIE_OPERATOR_HOST: host, EYRIE_OPERATOR_PORT: asked } = settings;
  if (asked === undefined) return { metrics, operatorPort: null, close: () => Promise.resolve() };
  const server = await startOperatorServer(host, asked, metrics);
  log.info('operator.ready', { host, port: server.port });
  return { metrics, operatorPort: server.port, close: () => server.close() };
}
