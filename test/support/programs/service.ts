import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { keyDigest } from '../../../src/adapters/static-tenants/key-digest.js';
import { freePort } from '../loopback-server.js';
import { projectRoot } from '../project-imports.js';
import { RedisProcess } from '../redis-process.js';
import { makeTempFolder } from '../temp-folder.js';
import { findVersitygw, Versitygw } from '../versitygw.js';
import { programWrapper, silentNameServer } from './namespaces.js';

export type StoreName = 'folder' | 's3';
export type ProgramName = 'api' | 'control' | 'generate';
export const programNames = ['api', 'control', 'generate'] as const;

const entryPoints: Readonly<Record<ProgramName, string>> = {
  api: 'src/http/main.js',
  control: 'workers/control/main.js',
  generate: 'workers/generate/main.js',
};
const startMs = 60_000;
const stopMs = 10_000;
const bucket = 'eyrie';
/** The demo model's, by its config.json. */
export const modelId = 'eyrie-demo';

export interface TenantSpec {
  readonly tenant: string;
  readonly weight?: number;
  readonly quotas?: Readonly<Record<string, number | null>>;
}

export interface ServiceOptions {
  readonly store: StoreName;
  readonly tenants: readonly TenantSpec[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Names that the programs look up go to `silentNameServer`, where nobody answers. */
  readonly silentNames?: boolean;
}

export interface Program {
  readonly name: ProgramName;
  readonly pid: number;
  readonly operatorUrl: string;
  /** How it ended, or null. */
  readonly exit: () => string | null;
}

/** What the operator keeps secret. */
export const pepper = 'pepper-of-the-programs-0123456789abcdef';
export const idSecret = 'id-secret-of-the-programs-0123456789abcdef';
export const sealingKey = Buffer.alloc(32, 'sealing-key').toString('base64');
/** Signs the webhooks of a tenant that has not made endpoints of its own. */
export const signingSecretOf = (tenant: string): string =>
  `whsec_${Buffer.from(`signing-secret-of-${tenant}`.padEnd(32, '.').slice(0, 32)).toString('base64')}`;
export const keyOf = (tenant: string): string => `ey_${tenant}_${'0123456789abcdef'.repeat(3)}`;

/** The three programs, Redis and the store, each a process of its own and set as an operator sets them. */
export class Service {
  readonly url: string;
  readonly programs: readonly Program[];
  readonly folder: string;
  /** Where tenants' drops are; null where the store is no folder. */
  readonly storeFolder: string | null;
  readonly redisUrl: string;
  readonly #stops: readonly (() => Promise<void>)[];

  private constructor(
    found: Pick<Service, 'url' | 'programs' | 'folder' | 'storeFolder' | 'redisUrl'>,
    stops: readonly (() => Promise<void>)[],
  ) {
    this.url = found.url;
    this.programs = found.programs;
    this.folder = found.folder;
    this.storeFolder = found.storeFolder;
    this.redisUrl = found.redisUrl;
    this.#stops = stops;
  }

  static async start(options: ServiceOptions): Promise<Service> {
    const stops: (() => Promise<void>)[] = [];
    try {
      return await startParts(options, stops, (found) => new Service(found, stops));
    } catch (error) {
      await stopAll(stops);
      throw error;
    }
  }

  program(name: ProgramName): Program {
    const found = this.programs.find((program) => program.name === name);
    if (!found) throw new Error(`There is no ${name}.`);
    return found;
  }

  /** What a program has logged so far. */
  log(name: ProgramName): string {
    return readFileSync(path.join(this.folder, `${name}.log`), 'utf8');
  }

  /** The last errors that each program has logged. */
  errorsLogged(): string[] {
    return this.programs.flatMap(({ name }) =>
      this.log(name)
        .split('\n')
        .filter((line) => line.includes('"level":"error"'))
        .slice(-3)
        .map((line) => line.slice(0, 600)),
    );
  }

  /** Ends all that was started, and removes the folder. */
  stop(): Promise<void> {
    return stopAll(this.#stops);
  }
}

async function stopAll(stops: readonly (() => Promise<void>)[]): Promise<void> {
  for (const stop of stops.toReversed()) await stop().catch(() => undefined);
}

async function startParts(
  { store, tenants, environment, silentNames = false }: ServiceOptions,
  stops: (() => Promise<void>)[],
  make: (found: Pick<Service, 'url' | 'programs' | 'folder' | 'storeFolder' | 'redisUrl'>) => Service,
): Promise<Service> {
  const folder = await makeTempFolder();
  // By the program, as paths below may be longer than a call to the system takes.
  stops.push(() => promisify(execFile)('rm', ['-rf', folder]).then(() => undefined));
  const redis = await RedisProcess.start({
    folder: path.join(folder, 'redis'),
    port: await freePort(),
    config: ['maxmemory-policy noeviction', 'appendonly yes'],
  });
  stops.push(() => redis.kill());
  const storeFolder = store === 'folder' ? path.join(folder, 'store') : null;
  const tenantsFile = path.join(folder, 'tenants.json');
  await writeFile(
    tenantsFile,
    JSON.stringify({
      pepper,
      tenants: tenants.map(({ tenant, weight, quotas }) => ({
        tenant,
        keyDigests: [keyDigest(pepper, keyOf(tenant))],
        endpoints: [],
        signingSecrets: [signingSecretOf(tenant)],
        watchInbox: storeFolder !== null,
        ...(weight === undefined ? {} : { weight }),
        ...(quotas ? { quotas } : {}),
      })),
    }),
  );
  for (const { tenant } of storeFolder === null ? [] : tenants)
    await mkdir(path.join(storeFolder ?? '', 'inbox', tenant), { recursive: true });
  const redisUrl = `redis://127.0.0.1:${redis.port}`;
  const common: Record<string, string> = {
    ...withoutOurs(process.env),
    ...(await storeSettings(storeFolder, stops)),
    EYRIE_REDIS_URL: redisUrl,
    EYRIE_MODEL_DIR: path.join(projectRoot, 'models/demo'),
    EYRIE_TENANTS_FILE: tenantsFile,
    EYRIE_ID_SECRET: idSecret,
    EYRIE_OPERATOR_PORT: '0',
    EYRIE_LOCK_MS: '6000',
    EYRIE_STALLED_CHECK_MS: '3000',
  };
  const webhooks = {
    EYRIE_SEALING_KEYS: `1:${sealingKey}`,
    EYRIE_WEBHOOK_ALLOW_PRIVATE: 'true',
  };
  const own: Readonly<Record<ProgramName, Record<string, string>>> = {
    api: { EYRIE_PORT: '0', ...webhooks },
    control: { EYRIE_INBOX_POLL_MS: '500', EYRIE_SWEEP_MS: '2000', ...webhooks },
    // One thread of arithmetic: two would fill both cores of a small machine, and the kernel's scheduler would be measured.
    generate: { EYRIE_IDLE_EXIT_MS: '0', EYRIE_THREADS: '1', EYRIE_DEVICE: 'cpu' },
  };
  const wrapper = await programWrapper(folder, silentNames ? silentNameServer : null);
  const started = await Promise.all(
    programNames.map((name) => startProgram(name, folder, wrapper, { ...common, ...own[name], ...environment }, stops)),
  );
  const port = started.find(({ program }) => program.name === 'api')?.port ?? 0;
  return make({
    url: `http://127.0.0.1:${port}`,
    programs: started.map(({ program }) => program),
    folder,
    storeFolder,
    redisUrl,
  });
}

/** Settings of another installation in the environment must not reach this one. */
function withoutOurs(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = ['EYRIE_NATIVE_ADDON', 'EYRIE_CUDA_LIBRARY'];
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && (!entry[0].startsWith('EYRIE_') || kept.includes(entry[0])),
    ),
  );
}

async function storeSettings(
  storeFolder: string | null,
  stops: (() => Promise<void>)[],
): Promise<Record<string, string>> {
  if (storeFolder !== null) return { EYRIE_STORE: `folder:${storeFolder}` };
  const found = await findVersitygw();
  if (!('program' in found)) throw new Error(found.missing);
  const server = await Versitygw.start(found.program, [bucket]);
  stops.push(() => server.close());
  return {
    EYRIE_STORE: `s3://${bucket}/suite`,
    EYRIE_S3_ENDPOINT: server.endpoint,
    AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
  };
}

async function startProgram(
  name: ProgramName,
  folder: string,
  wrapper: readonly string[],
  environment: Record<string, string>,
  stops: (() => Promise<void>)[],
): Promise<{ program: Program; port: number }> {
  const logFile = path.join(folder, `${name}.log`);
  const log = createWriteStream(logFile);
  const program = [process.execPath, path.join(projectRoot, 'dist', entryPoints[name])];
  const [command = process.execPath, ...args] = wrapper.concat(program);
  // The channel tells the ports, and ends the program when this process dies. No session of its own: priorities of processes are
  // weighed against one another within a session only.
  const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  let ended: string | null = null;
  child.once('exit', (code, signal) => (ended = signal ?? `exit code ${code}`));
  stops.push(() => endProcess(child));
  const ready = new Promise<{ port?: number; operatorPort?: number }>((resolve, reject) => {
    child.on('message', (message) => resolve(message as { port?: number; operatorPort?: number }));
    child.once('error', reject);
    child.once('exit', () => {
      readFile(logFile, 'utf8').then(
        (text) => reject(new Error(`${name} ended while it was starting: ${text.slice(-2000)}`)),
        reject,
      );
    });
    setTimeout(() => reject(new Error(`${name} was not ready within ${startMs} ms`)), startMs).unref();
  });
  const { port = 0, operatorPort = 0 } = await ready;
  return {
    program: {
      name,
      pid: child.pid ?? 0,
      operatorUrl: `http://127.0.0.1:${operatorPort}`,
      exit: () => ended,
    },
    port,
  };
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await exited;
  clearTimeout(timer);
}
