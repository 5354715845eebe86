import { createServer } from 'node:net';
import { EyrieError } from '../../domain/errors.js';

const portsTried = 20;

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else
        reject(
          new EyrieError('config_invalid', `${host}:${port} cannot be listened on: ${error.message}.`, {
            param: '--port',
            cause: error,
          }),
        );
    });
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** The port if it is free; else, with `orNext`, the next free one. Throws `port_in_use`. */
export async function freePort(host: string, port: number, orNext: boolean): Promise<number> {
  const last = orNext ? Math.min(65_535, port + portsTried) : port;
  for (let candidate = port; candidate <= last; candidate++) if (await isFree(host, candidate)) return candidate;
  throw new EyrieError(
    'port_in_use',
    `Port ${port} of ${host} is in use. Stop what listens there, or choose another one with --port.`,
    {
      param: '--port',
    },
  );
}
