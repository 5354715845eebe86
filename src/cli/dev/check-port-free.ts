import { createServer } from 'node:net';
import { EyrieError } from '../../domain/errors.js';

/** Says early, and before anything was started, that a port cannot be used. Throws `port_in_use` or `config_invalid`. */
export function checkPortFree(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const error =
        cause.code === 'EADDRINUSE'
          ? new EyrieError(
              'port_in_use',
              `Port ${port} of ${host} is in use. Stop what listens there, or choose another one with --port.`,
              { param: '--port', cause },
            )
          : new EyrieError('config_invalid', `${host}:${port} cannot be listened on: ${cause.message}.`, {
              param: '--port',
              cause,
            });
      reject(error);
    });
    server.listen(port, host, () => server.close(() => resolve()));
  });
}
