import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EyrieError } from '../domain/errors.js';
import type { Metrics } from './metrics.js';

export interface OperatorServer {
  readonly port: number;
  close(): Promise<void>;
}

const headersMs = 5000;

/**
 * `/metrics` and `/health` of a program, on an address of their own: they are for the operator, ask for no key, and so must not
 * be reachable where users are. Port 0 = any free one. Throws `port_in_use`.
 */
export async function startOperatorServer(host: string, port: number, metrics: Metrics): Promise<OperatorServer> {
  const server = createServer({ headersTimeout: headersMs, requestTimeout: headersMs }, (request, response) => {
    const path = request.url?.split('?', 1)[0];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const answer = (status: number, type: string, text: string): void => {
      response.writeHead(status, { 'content-type': type, connection: 'close' }).end(text);
    };
    if (isRead && path === '/health') return answer(200, 'application/json', '{"status":"ok"}');
    if (!isRead || path !== '/metrics') return answer(404, 'text/plain', 'GET /metrics or GET /health\n');
    metrics.text().then(
      (text) => answer(200, metrics.contentType, text),
      () => answer(500, 'text/plain', 'The metrics could not be read.\n'),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new EyrieError('port_in_use', `Port ${port} of ${host} is in use. Choose another EYRIE_OPERATOR_PORT.`, {
              param: 'EYRIE_OPERATOR_PORT',
              cause,
            })
          : cause,
      ),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
