import { readApiSettings } from '../config/read-environment.js';
import { openWorld } from '../compose/open-world.js';
import { runProgram, tellParent } from '../compose/run-program.js';
import { EyrieError } from '../domain/errors.js';
import { createServer } from './server.js';

/** The API program: takes requests, never work. */
await runProgram('api', async () => {
  const settings = readApiSettings(process.env);
  const world = await openWorld('api', settings);
  const server = createServer(world);
  const { EYRIE_HOST: host, EYRIE_PORT: port } = settings;
  try {
    await server.listen({ host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new EyrieError(
      'port_in_use',
      `Port ${port} of ${host} is in use. Choose another one with EYRIE_PORT (--port).`,
      { cause },
    );
  }
  const address = server.server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  world.log.info('api.ready', { host, port: listening });
  tellParent({ type: 'ready', port: listening });
  return async () => {
    await server.close();
    await world.close();
  };
});
