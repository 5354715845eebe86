import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** Where a name server listens that never answers. An address of its own, since its port is fixed. */
export const silentNameServer = '127.0.66.1';

const run = promisify(execFile);

async function works(command: readonly string[]): Promise<boolean> {
  const [program = '', ...args] = command;
  return run(program, [...args, 'true']).then(
    () => true,
    () => false,
  );
}

/**
 * A user who may override permissions sees no unreadable folder: the programs run without that right, as an operator's do. With
 * `nameServer` they also see an /etc/resolv.conf of their own, in a mount namespace. Each wrapper ends in `exec`: the process that
 * is started is the program.
 */
export async function programWrapper(folder: string, nameServer: string | null): Promise<string[]> {
  const unprivileged = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all'];
  const wrapper = process.getuid?.() === 0 && (await works(unprivileged)) ? unprivileged : [];
  if (nameServer === null) return wrapper;
  const file = path.join(folder, 'resolv.conf');
  await writeFile(file, `nameserver ${nameServer}\noptions timeout:5 attempts:2\n`);
  return ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', file, ...wrapper];
}

/** Whether this machine lets a test give a program another resolv.conf, and a name server its port. */
export const canReplaceNames = async (): Promise<boolean> =>
  process.getuid?.() === 0 && (await works(['unshare', '--mount']));
