import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AesSealer, type SealingKey } from '../adapters/aes-sealer/aes-sealer.js';
import { PinoLog } from '../adapters/pino-log/pino-log.js';
import { StaticTenants } from '../adapters/static-tenants/static-tenants.js';
import { SystemClock } from '../adapters/system-clock/system-clock.js';
import { UlidIds } from '../adapters/ulid-ids/ulid-ids.js';
import { HttpEgressRules } from '../adapters/webhook-http/http-egress-rules.js';
import { NameLookup } from '../adapters/webhook-http/names/name-lookup.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { Offer } from '../domain/offer.js';
import type { Clock } from '../ports/clock.js';
import type { EgressRules } from '../ports/egress-rules.js';
import type { Ids } from '../ports/ids.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { LiveChannel } from '../ports/live-channel.js';
import type { Log } from '../ports/log.js';
import type { ObjectStore } from '../ports/object-store.js';
import type { ProgressBoard } from '../ports/progress-board.js';
import type { SecretSealer } from '../ports/secret-sealer.js';
import type { SharedState } from '../ports/shared-state.js';
import type { Tenants } from '../ports/tenants.js';
import { openModel, type OpenModel } from './open-model.js';
import { openRedis, type RedisSettings } from './open-redis.js';
import { openStore, type StoreSettings } from './open-store.js';
import { readOffer, type OfferSettings } from './read-offer.js';

export interface WorldSettings extends StoreSettings, OfferSettings, RedisSettings {
  readonly EYRIE_MODEL_DIR: string;
  readonly EYRIE_MODEL_ID?: string | undefined;
  readonly EYRIE_TENANTS_FILE: string;
  readonly EYRIE_ID_SECRET: string;
  readonly EYRIE_LOG: 'json' | 'pretty';
  readonly EYRIE_LOG_LEVEL: 'debug' | 'info' | 'warn' | 'error';
  /** Absent in programs that have nothing to do with webhooks. */
  readonly EYRIE_SEALING_KEYS?: readonly SealingKey[] | undefined;
  readonly EYRIE_WEBHOOK_ALLOW_PRIVATE?: boolean | undefined;
  readonly EYRIE_DNS_SERVERS?: readonly string[] | undefined;
}

const limit = z.number().int().min(1, '1 and above, or null for no limit, is allowed').nullable().optional();

const weightAllowed = `a number from ${bounds.weightMin} to ${bounds.weightMax} is allowed`;

/** The tenants file. Unknown members are refused: a misspelt one would silently be without effect. */
const tenantsFile = z.strictObject({
  pepper: z.string().min(32),
  tenants: z.array(
    z.strictObject({
      tenant: z.string(),
      keyDigests: z.array(z.string()),
      // `outbox` is the name under which copies of results are delivered.
      endpoints: z.array(z.strictObject({ id: z.string().regex(/^(?!outbox$)[a-z0-9_]{1,64}$/), url: z.url() })),
      signingSecrets: z.array(z.string()),
      watchInbox: z.boolean(),
      weight: z
        .number(weightAllowed)
        .min(bounds.weightMin, weightAllowed)
        .max(bounds.weightMax, weightAllowed)
        .optional(),
      quotas: z
        .strictObject({
          queuedTokens: limit,
          filesBytes: limit,
          resultsBytes: limit,
          files: limit,
          openBatches: limit,
          requestsPerMinute: limit,
        })
        .optional(),
    }),
  ),
});
export type TenantsFile = z.output<typeof tenantsFile>;

async function readTenants(file: string): Promise<Tenants> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new EyrieError('config_invalid', `EYRIE_TENANTS_FILE ${file} cannot be read as JSON.`, {
      param: 'EYRIE_TENANTS_FILE',
      cause,
    });
  }
  const result = tenantsFile.safeParse(json);
  if (result.success) return new StaticTenants(result.data);
  const [issue] = result.error.issues;
  throw new EyrieError(
    'config_invalid',
    `${file}: ${issue?.path.join('.') ?? ''} is not valid: ${issue?.message ?? ''}.`,
    {
      param: 'EYRIE_TENANTS_FILE',
    },
  );
}

/** All that a program's steps need, and what closes it again. Has the members of `World` but those that `toWorld` adds. */
export interface OpenWorld {
  readonly store: ObjectStore;
  readonly queue: JobQueue;
  readonly progress: ProgressBoard;
  readonly live: LiveChannel;
  readonly shared: SharedState;
  readonly tenants: Tenants;
  readonly sealer: SecretSealer;
  readonly egress: EgressRules;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly model: OpenModel['served'];
  readonly offer: Offer;
  readonly idSecret: string;
  readonly openedModel: OpenModel;
  /** Of webhooks' receivers. Whoever looks names up for tenants shares the look-ups out: `shareOut`. */
  readonly names: NameLookup;
  close(): Promise<void>;
}

/** `fail` is called when it turns out later that the program cannot work with its surroundings. `watch` may look at all that is logged. */
export async function openWorld(
  program: string,
  settings: WorldSettings,
  fail: (error: unknown) => void,
  watch: (log: Log) => Log = (log) => log,
): Promise<OpenWorld> {
  const log = watch(new PinoLog({ level: settings.EYRIE_LOG_LEVEL, pretty: settings.EYRIE_LOG === 'pretty', program }));
  const [store, openedModel, tenants, offer] = await Promise.all([
    openStore(settings),
    openModel(settings.EYRIE_MODEL_DIR, settings.EYRIE_MODEL_ID ?? null),
    readTenants(settings.EYRIE_TENANTS_FILE),
    readOffer(settings),
  ]);
  const names = new NameLookup({
    servers: settings.EYRIE_DNS_SERVERS ?? null,
    search: settings.EYRIE_WEBHOOK_ALLOW_PRIVATE ?? false,
  });
  const bull = await openRedis(settings, log, fail);
  return {
    store,
    queue: bull.queue,
    progress: bull.progress,
    live: bull.live,
    shared: bull.shared,
    tenants,
    sealer: new AesSealer(settings.EYRIE_SEALING_KEYS ?? []),
    egress: new HttpEgressRules({ allowPrivate: settings.EYRIE_WEBHOOK_ALLOW_PRIVATE ?? false, names }),
    names,
    clock: new SystemClock(),
    ids: new UlidIds(),
    log,
    model: openedModel.served,
    offer,
    idSecret: settings.EYRIE_ID_SECRET,
    openedModel,
    close: () => bull.close(),
  };
}
