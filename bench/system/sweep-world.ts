import { AesSealer } from '../../src/adapters/aes-sealer/aes-sealer.js';
import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { FolderStore } from '../../src/adapters/folder/folder-store.js';
import { SystemClock } from '../../src/adapters/system-clock/system-clock.js';
import { UlidIds } from '../../src/adapters/ulid-ids/ulid-ids.js';
import { HttpEgressRules } from '../../src/adapters/webhook-http/http-egress-rules.js';
import { NameLookup } from '../../src/adapters/webhook-http/names/name-lookup.js';
import { toWorld, type World } from '../../src/app/world.js';
import { plainOffer } from '../../src/domain/offer.js';
import { defaultQuotas } from '../../src/domain/quotas.js';
import type { Job, JobKind, JobQueue } from '../../src/ports/job-queue.js';
import type { Log } from '../../src/ports/log.js';
import { SlowStore } from './slow-store.js';

export const sweepTenant = 'bench';
export const sweepModel = 'bench/falcon';

export interface SweepWorldOptions {
  readonly folder: string;
  readonly redisUrl: string;
  readonly latencyMs: number;
}

export interface SweepWorld extends World {
  readonly store: SlowStore;
  readonly clock: ShiftedClock;
  /** Jobs added so far, whether or not the queue held them already. */
  readonly added: () => number;
  close(): Promise<void>;
}

/** The machine's clock, whose monotonic side can be set forward: all waits between two looks are then over. */
export class ShiftedClock extends SystemClock {
  #aheadMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.#aheadMs;
  }

  forward(ms: number): void {
    this.#aheadMs += ms;
  }
}

const silent = (): void => undefined;
const quietLog: Log = {
  debug: silent,
  info: silent,
  warn: (event, fields) => void process.stderr.write(`${event} ${JSON.stringify(fields ?? {})}\n`),
  error: (event, fields) => void process.stderr.write(`${event} ${JSON.stringify(fields ?? {})}\n`),
};

/** Counts what is added. */
function counting(queue: JobQueue, count: (jobs: number) => void): JobQueue {
  const add = (kind: JobKind, jobs: readonly Job[]): Promise<void> => {
    count(jobs.length);
    return queue.add(kind, jobs);
  };
  return new Proxy(queue, {
    get: (target, name) => {
      if (name === 'add') return add;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** All that the sweeps of `control` touch: a folder behind a latency as store, a real Redis, no tenants that ask for news. */
export async function openSweepWorld({ folder, redisUrl, latencyMs }: SweepWorldOptions): Promise<SweepWorld> {
  const store = new SlowStore(await FolderStore.open(folder), latencyMs);
  const bull = openBullmq({ redisUrl, log: quietLog });
  const [clock, ids] = [new ShiftedClock(), new UlidIds()];
  let added = 0;
  return toWorld({
    progress: bull.progress,
    live: bull.live,
    shared: bull.shared,
    store,
    queue: counting(bull.queue, (jobs) => (added += jobs)),
    added: () => added,
    tenants: {
      tenantOfKey: () => Promise.resolve(null),
      knownTenantOfKey: () => null,
      webhookEndpoints: () => Promise.resolve([]),
      signingSecrets: () => Promise.resolve([]),
      quotas: () => defaultQuotas,
      weight: () => 1,
      inboxTenants: () => [],
    },
    sealer: new AesSealer([]),
    egress: new HttpEgressRules({ allowPrivate: false, names: new NameLookup({ servers: null, search: false }) }),
    clock,
    ids,
    log: quietLog,
    model: {
      id: sweepModel,
      aliases: [],
      created: 0,
      ownedBy: 'bench',
      contextTokens: 2048,
      vocabSize: 65_024,
      endTokenId: 11,
      digest: 'sha256:0',
    },
    offer: plainOffer,
    idSecret: 'a secret of the benchmark, nothing else',
    close: () => bull.close(),
  });
}
