import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EyrieError } from '../../domain/errors.js';
import { findServer } from './find-server.js';
import { GuardedProcess } from './guarded-process.js';
import { askServer, freePort } from './loopback.js';
import { logName, readServerConfig, writeServerConfig, type ServerConfig } from './server-config.js';

export interface RedisChild {
  /** `redis://:password@127.0.0.1:port/0` */
  readonly url: string;
  /** Resolves when the server has ended, asked or not. */
  readonly exited: Promise<void>;
  /** Ends the server; its data stays in the folder. */
  close(): Promise<void>;
}

export interface RedisChildOptions {
  /** Folder for its data, config and log; made when missing. One server at a time may use it. */
  readonly folder: string;
  /** Where to look for the program, as in PATH. */
  readonly searchPath: string;
  /** URL of an earlier start that has ended: clients that hold it find the server again. Default: a new port and password. */
  readonly url?: string;
}

const startAttemptsMax = 5;
const readyMs = 60_000;
const predecessorMs = 5000;
const pollMs = 20;

/**
 * Starts a private Redis on a free loopback port with a password of its own. It ends with this process, even if that is killed,
 * and finds its data again at the next start. Throws `redis_missing`, or `queue_unavailable` when the server does not start.
 */
export async function startRedisChild({ folder, searchPath, url: earlier }: RedisChildOptions): Promise<RedisChild> {
  const program = await findServer(searchPath);
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  const home = await realpath(folder);
  await outlastPredecessor(home);
  for (let attempt = 1; ; attempt++) {
    const config = earlier === undefined ? await newConfig() : configOf(earlier);
    await rm(path.join(home, logName), { force: true });
    const server = await GuardedProcess.start(program, [await writeServerConfig(home, config)], searchPath);
    if (await becomesReady(server, config)) {
      const url = `redis://:${config.password}@127.0.0.1:${config.port}/0`;
      return { url, exited: server.exited, close: () => server.stop() };
    }
    await server.stop();
    const log = await readFile(path.join(home, logName), 'utf8').catch(() => '');
    // Another program may take the port between our look and the server's start.
    if (!/Address already in use/i.test(log) || attempt === startAttemptsMax)
      throw new EyrieError(
        'queue_unavailable',
        `The private Redis did not start: ${lastLine(log)}. Its log is ${path.join(home, logName)}.`,
      );
  }
}

const newConfig = async (): Promise<ServerConfig> => ({
  port: await freePort(),
  password: randomBytes(24).toString('hex'),
});

function configOf(url: string): ServerConfig {
  const { port, password } = new URL(url);
  return { port: Number(port), password };
}

/** Two servers on one append-only file would ruin it. One whose parent was killed a moment ago needs a little time to end. */
async function outlastPredecessor(home: string): Promise<void> {
  const config = await readServerConfig(home);
  if (!config) return;
  for (const end = Date.now() + predecessorMs; (await askServer(config)) !== 'silent'; await sleep(pollMs))
    if (Date.now() > end)
      throw new EyrieError(
        'queue_unavailable',
        `Another Eyrie uses the folder ${home}: its Redis answers on port ${config.port}. Stop it, or choose another data folder.`,
      );
}

async function becomesReady(server: GuardedProcess, config: ServerConfig): Promise<boolean> {
  for (const end = Date.now() + readyMs; server.running && Date.now() < end; await sleep(pollMs))
    if ((await askServer(config)) === 'ready') return server.running;
  return false;
}

const lastLine = (log: string): string =>
  log
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^\d+:\w [^*#.-]*[*#.-] /, '') || 'it wrote no log';
