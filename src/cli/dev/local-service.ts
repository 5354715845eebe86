import { access } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { EyrieError } from '../../domain/errors.js';
import { openDataFolder, type DataFolder, type LocalEndpoint } from './data-folder.js';
import { checkPortFree } from './check-port-free.js';
import { Supervisor } from './supervisor.js';

export interface LocalRedis {
  readonly url: string;
  /** Resolves when the server has ended, asked or not. */
  readonly exited: Promise<void>;
  close(): Promise<void>;
}

/** What local mode needs from outside the command line; handed in by `main.ts`. */
export interface LocalParts {
  /** With `url`: a server that has ended is started again for those that hold its URL. */
  readonly startRedis: (folder: string, url?: string) => Promise<LocalRedis>;
  readonly keyDigest: (pepper: string, key: string) => string;
  /** The served model's id; throws a coded error when the folder holds no Falcon checkpoint. */
  readonly readModelId: (directory: string) => Promise<string>;
}

export interface LocalOptions {
  readonly dataFolder: string;
  readonly modelDirectory: string;
  readonly host: string;
  /** null: 8787, or the next free one. */
  readonly port: number | null;
  readonly workersMax: number;
  readonly idleExitMs: number;
  readonly webhooks: readonly LocalEndpoint[];
  /** Logs to files in the data folder, or to the terminal. */
  readonly logTo: 'files' | 'terminal';
  readonly onNote: (text: string) => void;
  /** Another compiled program in place of `generate`, below the folder of the compiled programs. */
  readonly workerProgram?: string;
}

export interface LocalService {
  readonly url: string;
  readonly modelId: string;
  readonly data: DataFolder;
  readonly supervisor: Supervisor;
  /** `/metrics` of the programs that run all the time. */
  readonly metricsUrls: Readonly<Record<'api' | 'control', string>>;
  /** Of the private Redis, with its password. */
  readonly redisUrl: string;
  stop(): Promise<void>;
}

const portDefault = 8787;

/** `dist/`, from this compiled file. */
const programRoot = fileURLToPath(new URL('../../../', import.meta.url));
export const packageRoot = path.dirname(path.resolve(programRoot, '.'));

/** The folder of a model given by name: a path, or `demo`. */
export const modelDirectoryOf = (name: string): string =>
  name === 'demo' ? path.join(packageRoot, 'models', 'demo') : path.resolve(name);

/**
 * Starts the whole service on this machine: a private Redis, `api` and `control`; `generate` workers come and go with the work. All
 * of it ends with this process, also when that is killed.
 */
export async function startLocalService(parts: LocalParts, options: LocalOptions): Promise<LocalService> {
  const modelId = await parts.readModelId(options.modelDirectory);
  await access(path.join(programRoot, 'workers', 'generate', 'main.js')).catch((cause: unknown) => {
    throw new EyrieError('config_invalid', 'The programs are not compiled. Run `npm run build` first.', { cause });
  });
  if (options.port !== null) await checkPortFree(options.host, options.port);
  // Once the API listens, it comes back on the same port after a crash.
  let port = options.port;
  const data = await openDataFolder(options.dataFolder, options.webhooks, parts.keyDigest);
  let stopping = false;
  let redis = await parts.startRedis(data.redis).catch(async (error: unknown) => {
    await data.release();
    throw error;
  });
  const webhookSettings = {
    EYRIE_SEALING_KEYS: `1:${data.secrets.sealingKey}`,
    EYRIE_WEBHOOK_ALLOW_PRIVATE: 'true',
  };
  const supervisor = new Supervisor({
    programRoot,
    logFolder: options.logTo === 'files' ? data.logs : null,
    ...(options.workerProgram === undefined ? {} : { workerProgram: options.workerProgram }),
    onNote: options.onNote,
    environment: {
      ...withoutOurs(process.env),
      ...passedOn(offerSettings, process.env),
      EYRIE_STORE: `folder:${data.store}`,
      EYRIE_REDIS_URL: redis.url,
      EYRIE_MODEL_DIR: options.modelDirectory,
      EYRIE_TENANTS_FILE: data.tenantsFile,
      EYRIE_ID_SECRET: data.secrets.idSecret,
      EYRIE_LOG: options.logTo === 'terminal' ? 'pretty' : 'json',
      EYRIE_OPERATOR_PORT: '0',
      // One machine, no network between: a silent worker is a dead one after seconds, not minutes.
      EYRIE_LOCK_MS: '6000',
      EYRIE_STALLED_CHECK_MS: '3000',
      ...passedOn(lossSettings, process.env),
    },
    environmentOf: (name) => {
      if (name === 'api')
        return {
          ...webhookSettings,
          // Whoever runs it on the own machine is the operator, too.
          EYRIE_TENANTS_FILE_ADMIN: 'true',
          EYRIE_HOST: options.host,
          EYRIE_PORT: String(port ?? portDefault),
          EYRIE_PORT_TRIES: port === null ? '50' : '0',
        };
      if (name === 'generate')
        return { EYRIE_IDLE_EXIT_MS: String(options.idleExitMs), ...passedOn(engineSettings, process.env) };
      return {
        EYRIE_INBOX_POLL_MS: '500',
        EYRIE_SWEEP_MS: '2000',
        EYRIE_SCALE_MS: '250',
        EYRIE_WORKERS_MAX: String(options.workersMax),
        EYRIE_LAUNCHER: 'ipc',
        ...webhookSettings,
      };
    },
  });
  const keepRedis = (): void => {
    void redis.exited.then(async () => {
      if (stopping) return;
      options.onNote('the private Redis has ended; starting it again');
      try {
        redis = await parts.startRedis(data.redis, redis.url);
        keepRedis();
      } catch (error) {
        options.onNote(`the private Redis does not start: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
  };
  keepRedis();
  let metricsUrls: LocalService['metricsUrls'];
  const stop = async (): Promise<void> => {
    stopping = true;
    await supervisor.stop();
    await redis.close();
    await data.release();
  };
  try {
    const [api, control] = await Promise.all([supervisor.start('api'), supervisor.start('control')]);
    port = api.port ?? port ?? portDefault;
    metricsUrls = { api: metricsUrl(api.operatorPort), control: metricsUrl(control.operatorPort) };
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://${options.host}:${port}`, modelId, data, supervisor, metricsUrls, redisUrl: redis.url, stop };
}

const metricsUrl = (port: number | undefined): string => `http://127.0.0.1:${port ?? 0}/metrics`;

/** Files of this machine, whatever the installation. */
const fileSettings = ['EYRIE_NATIVE_ADDON', 'EYRIE_CUDA_LIBRARY'];

/** Settings of another installation in the environment must not reach this one. */
function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith('EYRIE_') || fileSettings.includes(name)),
  );
}

/** What a user may offer in local mode, how soon lost workers are noticed, and the engine settings of its workers. */
const offerSettings = ['EYRIE_COMPLETION_WINDOWS', 'EYRIE_PRICES_FILE'];
const lossSettings = ['EYRIE_LOCK_MS', 'EYRIE_STALLED_CHECK_MS'];
const engineSettings = [
  'EYRIE_DEVICE',
  'EYRIE_DTYPE',
  'EYRIE_FP8_KEEP',
  'EYRIE_ISA',
  'EYRIE_THREADS',
  'EYRIE_SLOTS',
  'EYRIE_PREFILL_TOKENS',
  'EYRIE_TENSOR_PARALLEL',
  'EYRIE_SHARDS_IN_FLIGHT',
  'EYRIE_LIVE_CALLS_IN_FLIGHT',
];
function passedOn(names: readonly string[], environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(names.filter((name) => environment[name]).map((name) => [name, environment[name]]));
}
