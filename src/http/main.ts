import type { FastifyInstance } from 'fastify';
import { readApiSettings } from '../config/read-environment.js';
import { lookupShare } from '../app/webhooks/lookup-share.js';
import { toWorld } from '../app/world.js';
import { readVersion } from '../config/read-version.js';
import { openWorld } from '../compose/open-world.js';
import { runProgram, tellParent } from '../compose/run-program.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { Metrics } from '../observe/metrics.js';
import { observeProgram } from '../observe/observe-program.js';
import { createServer } from './server.js';
import { connectionsAllowed } from './sockets/open-files.js';

const isTaken = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EADDRINUSE';

/** Listens on the first free port from `first` to `last`. */
async function listen(server: FastifyInstance, host: string, first: number, last: number): Promise<void> {
  for (let port = first; ; port++)
    try {
      await server.listen({ host, port, backlog: bounds.connectionsWaitingMax });
      return;
    } catch (cause) {
      if (!isTaken(cause)) throw cause;
      if (port < last) continue;
      throw new EyrieError(
        'port_in_use',
        `Port ${first} of ${host} is in use. Stop what listens there, or choose another one with EYRIE_PORT (--port).`,
        { param: 'EYRIE_PORT', cause },
      );
    }
}

/** The API program: takes requests, never work. */
await runProgram('api', async (_end, fail) => {
  const settings = readApiSettings(process.env);
  const metrics = new Metrics('api');
  const opened = await openWorld('api', settings, fail, (log) => metrics.watch(log));
  const world = toWorld(opened);
  metrics.watchRefusals(() => world.refusals.counts());
  const lookups = lookupShare(world);
  world.names.shareOut(lookups);
  const server = createServer(world, {
    watchShares: (shares) => metrics.watchShares({ ...shares, name_lookups: lookups }),
    connections: { max: connectionsAllowed() },
    version: readVersion(),
    tokenizer: world.openedModel.tokenizer,
    grammars: world.openedModel.grammars,
    configuredKeysAdmin: settings.EYRIE_TENANTS_FILE_ADMIN,
  });
  const { EYRIE_HOST: host, EYRIE_PORT: port, EYRIE_PORT_TRIES: tries } = settings;
  await listen(server, host, port, port + tries);
  const address = server.server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  world.log.info('api.ready', { host, port: listening });
  const observed = await observeProgram(metrics, world.log, settings);
  tellParent({ type: 'ready', port: listening, operatorPort: observed.operatorPort });
  return async () => {
    await observed.close();
    await server.close();
    await world.close();
  };
});
