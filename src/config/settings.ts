import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { windowSeconds } from '../domain/completion-window.js';
import {
  devices,
  dtypes,
  fp8KeepAllowed,
  isas,
  readFp8Keep,
  tensorParallelMax,
  withFullDtypeName,
} from '../domain/engine-choices.js';

/** All settings, by the environment variable that carries each. docs/operations.md explains them; a test compares the two. */

const whole = (min: number, max: number) =>
  z.coerce
    .number(`a number from ${min} to ${max} is required`)
    .int()
    .min(min, `${min} to ${max} is allowed`)
    .max(max, `${min} to ${max} is allowed`);
const flag = z.enum(['true', 'false'], '"true" or "false" is allowed').transform((text) => text === 'true');

export const storeSettings = z.object({
  /** `folder:/path` or `s3://bucket/prefix`. */
  EYRIE_STORE: z
    .string('"folder:/path" or "s3://bucket/prefix" is required')
    .regex(/^(folder:.+|s3:\/\/[^/]+(\/.*)?)$/, '"folder:/path" or "s3://bucket/prefix" is required'),
  /** Only for S3-compatible stores other than AWS. */
  EYRIE_S3_ENDPOINT: z.url('a URL is required').optional(),
  EYRIE_S3_REGION: z.string().default('us-east-1'),
});

const redisUrlRequired =
  'a redis://, redis+sentinel:// or redis+cluster:// URL (rediss… with TLS), or unix://, is required';

export const commonSettings = storeSettings.extend({
  EYRIE_REDIS_URL: z.string(redisUrlRequired).regex(/^(rediss?(\+sentinel|\+cluster)?|unix):\/\//, redisUrlRequired),
  /** PEM files: who signs the servers' certificates, and this client's certificate with its key. */
  EYRIE_REDIS_TLS_CA_FILE: z.string().optional(),
  EYRIE_REDIS_TLS_CERT_FILE: z.string().optional(),
  EYRIE_REDIS_TLS_KEY_FILE: z.string().optional(),
  /** Name in the servers' certificates, where servers are announced by address. */
  EYRIE_REDIS_TLS_SERVER_NAME: z.string().optional(),
  /** A Redis that may evict keys is used all the same. */
  EYRIE_REDIS_ALLOW_EVICTION: flag.default(false),
  /** Folder of the served checkpoint. `api` and `control` read its small files only. */
  EYRIE_MODEL_DIR: z.string('a folder is required'),
  EYRIE_MODEL_ID: z.string().optional(),
  /** JSON file with the tenants: keys, webhook endpoints, signing secrets. */
  EYRIE_TENANTS_FILE: z.string('a file is required'),
  EYRIE_ID_SECRET: z
    .string('a secret of at least 32 characters is required')
    .min(32, 'a secret of at least 32 characters is required'),
  /** Completion windows that batches may ask for beside `24h`, e.g. `1h,6h,7d`. */
  EYRIE_COMPLETION_WINDOWS: z
    .string()
    .default('24h')
    .transform((text) => text.split(',').map((name) => name.trim()))
    .refine(
      (names) => names.every((name) => (windowSeconds(name) ?? Infinity) <= bounds.completionWindowSecondsMax),
      'windows such as "90m", "6h" or "7d", up to 30 days, separated by commas, are allowed',
    ),
  /** JSON file with the prices of tokens; absent: nothing has a price. */
  EYRIE_PRICES_FILE: z.string().optional(),
  EYRIE_LOG: z.enum(['json', 'pretty'], '"json" or "pretty" is allowed').default('json'),
  EYRIE_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Where `/metrics` and `/health` of the program listen; they ask for no key. */
  EYRIE_OPERATOR_HOST: z.string().default('127.0.0.1'),
  /** 0 = any free one; absent: nothing listens. */
  EYRIE_OPERATOR_PORT: whole(0, 65_535).optional(),
  /** A worker that is silent for this long has lost its jobs. */
  EYRIE_LOCK_MS: whole(1000, 600_000).default(60_000),
  /** How often jobs of lost workers are looked for. Recovery takes at most the lock and this. */
  EYRIE_STALLED_CHECK_MS: whole(500, 600_000).default(15_000),
});

const sealingKeysAllowed = 'VERSION:KEY pairs, separated by commas, with keys of 32 bytes in base64, are required';

const nameServersAllowed =
  'IP addresses, each with ":port" if it is not 53, IPv6 in brackets, separated by commas, are required';

function isNameServer(text: string): boolean {
  const [, six, four, port = '53'] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  return isIP(six ?? four ?? '') === (six === undefined ? 4 : 6) && Number(port) > 0 && Number(port) < 65_536;
}

/** What the programs that deal with webhooks share: `api` and `control`. */
const webhookSettings = z.object({
  /** Keys that seal webhook secrets at rest, as `2:BASE64,1:BASE64`: the first seals, all of them open. */
  EYRIE_SEALING_KEYS: z
    .string()
    .regex(/^\d{1,9}:[A-Za-z0-9+/]{43}=(,\d{1,9}:[A-Za-z0-9+/]{43}=)*$/, sealingKeysAllowed)
    .transform((text) =>
      text.split(',').map((pair) => {
        const [version, key] = pair.split(':');
        return { version: Number(version), bytes: Buffer.from(key ?? '', 'base64') };
      }),
    )
    .refine(
      (keys) => new Set(keys.map(({ version }) => version)).size === keys.length,
      'each version may be named once',
    )
    .optional(),
  /** Name servers for webhooks' names, as `ADDRESS:PORT,…`; absent: those of the system. */
  EYRIE_DNS_SERVERS: z
    .string()
    .transform((text) => text.split(',').map((server) => server.trim()))
    .refine((servers) => servers.every(isNameServer), nameServersAllowed)
    .optional(),
  /** Webhooks may go to private addresses and by plain http. Only for one machine or a trusted network. */
  EYRIE_WEBHOOK_ALLOW_PRIVATE: flag.default(false),
});

export const apiSettings = webhookSettings.extend({
  EYRIE_HOST: z.string().default('127.0.0.1'),
  /** 0 = any free one. */
  EYRIE_PORT: whole(0, 65_535).default(8787),
  /** When the port is taken, so many following ones are tried. */
  EYRIE_PORT_TRIES: whole(0, 1000).default(0),
  /** Keys of the tenants file may make and revoke keys of their own tenant (scope `admin`). */
  EYRIE_TENANTS_FILE_ADMIN: flag.default(false),
});

export const controlSettings = webhookSettings.extend({
  EYRIE_INBOX_POLL_MS: whole(100, 600_000).default(5000),
  EYRIE_SWEEP_MS: whole(200, 60_000).default(5000),
  EYRIE_SCALE_MS: whole(100, 60_000).default(2000),
  EYRIE_WORKERS_MIN: whole(0, 1000).default(0),
  EYRIE_WORKERS_MAX: whole(0, 1000).default(1),
  EYRIE_DRAIN_GOAL_SECONDS: whole(1, 86_400).default(1800),
  /** An endpoint has to answer within this time. */
  EYRIE_WEBHOOK_TIMEOUT_MS: whole(1000, bounds.webhookTimeoutMsMax).default(bounds.webhookTimeoutMs),
  /** `ipc`: the parent process starts workers (local mode); `none`: something outside does. */
  EYRIE_LAUNCHER: z.enum(['ipc', 'none'], '"ipc" or "none" is allowed').default('none'),
});

export const generateSettings = z.object({
  EYRIE_DEVICE: z.enum(devices, '"auto", "cpu" or "cuda" is allowed').default('auto'),
  EYRIE_DTYPE: z
    .string()
    .transform(withFullDtypeName)
    .pipe(z.enum(dtypes, '"float32", "bfloat16", "int8" or "fp8" is allowed'))
    .default('bfloat16'),
  /** With fp8: products of the layers that stay bfloat16. */
  EYRIE_FP8_KEEP: z
    .string()
    .transform((text, context) => {
      const kept = readFp8Keep(text);
      if (kept === null) context.addIssue({ code: 'custom', message: fp8KeepAllowed });
      return kept ?? [];
    })
    .optional(),
  EYRIE_ISA: z.enum(isas).default('auto'),
  EYRIE_THREADS: whole(1, 256).default(availableParallelism()),
  /** Absent, as the next: what suits the device. */
  EYRIE_SLOTS: whole(1, 1024).optional(),
  EYRIE_PREFILL_TOKENS: whole(16, 8192).optional(),
  /** Cards that share the model. */
  EYRIE_TENSOR_PARALLEL: whole(1, tensorParallelMax).default(1),
  /** Shards worked on at once, so that the engine always has more sequences waiting than slots. */
  EYRIE_SHARDS_IN_FLIGHT: whole(1, 64).default(4),
  /** Calls that somebody waits for, answered at once beside the shards and before them. */
  EYRIE_LIVE_CALLS_IN_FLIGHT: whole(1, 1024).default(bounds.liveCallsPerWorker),
  /** A worker without work for this long ends itself; 0 = never. */
  EYRIE_IDLE_EXIT_MS: whole(0, 86_400_000).default(300_000),
  /** After SIGTERM shards get this long to finish before they are handed back. */
  EYRIE_SHUTDOWN_GRACE_MS: whole(0, 600_000).default(20_000),
});
