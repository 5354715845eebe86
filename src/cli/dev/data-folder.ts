import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EyrieError } from '../../domain/errors.js';

/** Secrets of a local installation. They stay the same across restarts, so that clients need not be told again. */
export interface LocalSecrets {
  readonly apiKey: string;
  readonly webhookSecret: string;
  readonly idSecret: string;
  readonly pepper: string;
  /** Seals webhook secrets in the store: 32 bytes, base64. */
  readonly sealingKey: string;
}

/** The one tenant of local mode: its bucket drop is `inbox/dev/`. */
export const localTenant = 'dev';

export interface DataFolder {
  readonly root: string;
  readonly store: string;
  readonly redis: string;
  readonly logs: string;
  readonly inbox: string;
  readonly outbox: string;
  readonly tenantsFile: string;
  readonly secrets: LocalSecrets;
  /** Lets another process use the folder. */
  release(): Promise<void>;
}

function newSecrets(): LocalSecrets {
  const random = (bytes: number): string => randomBytes(bytes).toString('hex');
  return {
    apiKey: `ey_${localTenant}_${random(24)}`,
    webhookSecret: `whsec_${randomBytes(32).toString('base64')}`,
    idSecret: random(32),
    pepper: random(32),
    sealingKey: randomBytes(32).toString('base64'),
  };
}

/** The secrets of the folder; those that it does not have yet are made. */
async function loadSecrets(file: string): Promise<LocalSecrets> {
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '{}';
  });
  const secrets = { ...newSecrets(), ...(JSON.parse(kept) as Partial<LocalSecrets>) };
  const text = `${JSON.stringify(secrets, null, 2)}\n`;
  if (text !== kept) {
    // As a whole or not at all: without them nothing in the folder can be used.
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  return secrets;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Two installations on one folder would work against each other; a lock left by a dead process is taken over. */
async function lock(file: string, root: string): Promise<void> {
  for (;;) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const pid = Number(await readFile(file, 'utf8').catch(() => ''));
      if (pid > 0 && pid !== process.pid && isAlive(pid))
        throw new EyrieError(
          'config_invalid',
          `${root} is in use by process ${pid}. Stop it, or choose another folder with --data.`,
          {
            param: '--data',
            cause: error,
          },
        );
      await rm(file, { force: true });
    }
  }
}

/** Like `mkdir -p`. Node's recursive form never ends where a parent exists but takes no entries, as in /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    const parent = path.dirname(folder);
    if (code !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await mkdir(folder, { mode: 0o700 });
  }
}

export interface LocalEndpoint {
  readonly id: string;
  readonly url: string;
}

/** Opens or makes the folder that holds all of a local installation. `keyDigest` is how API keys are kept. */
export async function openDataFolder(
  directory: string,
  endpoints: readonly LocalEndpoint[],
  keyDigest: (pepper: string, key: string) => string,
): Promise<DataFolder> {
  const root = path.resolve(directory);
  const at = (...names: string[]): string => path.join(root, ...names);
  try {
    await makeFolder(root);
    await writeFile(at('.gitignore'), '*\n');
  } catch (cause) {
    throw new EyrieError('config_invalid', `The data folder ${root} cannot be written: ${(cause as Error).message}.`, {
      param: '--data',
      cause,
    });
  }
  await lock(at('lock'), root);
  const store = at('store');
  const folders = {
    store,
    redis: at('redis'),
    logs: at('logs'),
    inbox: path.join(store, 'inbox', localTenant),
    outbox: path.join(store, 'outbox', localTenant),
  };
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
  // One of an earlier version, or one that was made by hand, may be open to every user of the machine.
  for (const folder of [root, store, folders.redis, folders.logs]) await chmod(folder, 0o700);
  for (const name of await readdir(folders.logs)) await chmod(path.join(folders.logs, name), 0o600);
  const secrets = await loadSecrets(at('secrets.json'));
  const tenantsFile = at('tenants.json');
  const tenants = {
    pepper: secrets.pepper,
    tenants: [
      {
        tenant: localTenant,
        keyDigests: [keyDigest(secrets.pepper, secrets.apiKey)],
        endpoints,
        signingSecrets: [secrets.webhookSecret],
        watchInbox: true,
      },
    ],
  };
  await writeFile(tenantsFile, `${JSON.stringify(tenants, null, 2)}\n`, { mode: 0o600 });
  return { root, ...folders, tenantsFile, secrets, release: () => rm(at('lock'), { force: true }) };
}
