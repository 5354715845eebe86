import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface ServerConfig {
  readonly port: number;
  readonly password: string;
}

const fileName = 'redis.conf';
export const logName = 'redis.log';

const quoted = (text: string): string => `"${text.replace(/["\\]/g, (c) => `\\${c}`)}"`;

/**
 * Writes the server's config file, readable by this user alone: the password must not show in the list of processes. Every
 * write goes to the append-only file, which is synced each second; nothing is ever evicted.
 */
export async function writeServerConfig(folder: string, { port, password }: ServerConfig): Promise<string> {
  const file = path.join(folder, fileName);
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    'daemonize no',
    `dir ${quoted(folder)}`,
    `logfile ${quoted(path.join(folder, logName))}`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
  ];
  await rm(file, { force: true });
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600, flag: 'wx' });
  return file;
}

/** The config of the last server in this folder, or null. */
export async function readServerConfig(folder: string): Promise<ServerConfig | null> {
  const text = await readFile(path.join(folder, fileName), 'utf8').catch(() => '');
  const port = /^port (\d+)$/m.exec(text)?.[1];
  const password = /^requirepass (\S+)$/m.exec(text)?.[1];
  return port === undefined || password === undefined ? null : { port: Number(port), password };
}
