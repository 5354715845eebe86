import { toWorld, type World } from '../../../src/app/world.js';
import type { ManifestObject } from '../../../src/contract/stored-objects.js';
import { plainOffer, type Offer } from '../../../src/domain/offer.js';
import { defaultQuotas, type Quotas } from '../../../src/domain/quotas.js';
import { keys } from '../../../src/domain/object-keys.js';
import { CountingIds } from '../../support/counting-ids.js';
import { FakeEgress, testSealer } from '../../support/fake-webhook-guards.js';
import { FakeClock } from '../../support/fake-clock.js';
import { MemoryLiveChannel } from '../../support/memory-live-channel.js';
import { MemoryLog } from '../../support/memory-log.js';
import { MemoryProgress } from '../../support/memory-progress.js';
import { MemoryQueue } from '../../support/memory-queue.js';
import { MemorySharedState } from '../../support/memory-shared-state.js';
import { MemoryStore } from '../../support/memory-store.js';

export const keyA = 'ey_a_secret';
export const keyB = 'ey_b_secret';
/** Tenant B's name looks like the start of ids, and must not be taken for one. */
export const tenantA = 'tenant-a';
export const tenantB = 'file-batch_b';
const tenantOf = new Map([
  [keyA, tenantA],
  [keyB, tenantB],
]);

export interface FakeWorld extends World {
  readonly store: MemoryStore;
  readonly queue: MemoryQueue;
  readonly progress: MemoryProgress;
  readonly live: MemoryLiveChannel;
  readonly shared: MemorySharedState;
  readonly log: MemoryLog;
  readonly clock: FakeClock;
}

export function fakeWorld(offer: Offer = plainOffer, quotas: Partial<Quotas> = {}): FakeWorld {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const ports = {
    clock,
    store,
    queue: new MemoryQueue(clock),
    progress: new MemoryProgress(clock),
    live: new MemoryLiveChannel(),
    shared: new MemorySharedState(clock),
    sealer: testSealer,
    egress: new FakeEgress(),
    log: new MemoryLog(),
    ids: new CountingIds(),
    tenants: {
      tenantOfKey: (key: string) => Promise.resolve(tenantOf.get(key) ?? null),
      knownTenantOfKey: (key: string) => tenantOf.get(key) ?? null,
      webhookEndpoints: () => Promise.resolve([]),
      signingSecrets: () => Promise.resolve([]),
      quotas: () => ({ ...defaultQuotas, ...quotas }),
      weight: () => 1,
      inboxTenants: () => [],
    },
    model: {
      id: 'h2oai/h2ogpt-oig-oasst1-falcon-40b',
      aliases: ['falcon'],
      created: 1_767_225_600,
      ownedBy: 'h2oai',
      contextTokens: 2048,
      vocabSize: 65_024,
      endTokenId: 11,
      digest: 'sha256:0',
    },
    offer,
    idSecret: 'test-id-secret',
  };
  return toWorld(ports);
}

export async function putJson(world: FakeWorld, key: string, value: unknown): Promise<void> {
  await world.store.put(key, Buffer.from(JSON.stringify(value)));
}

export const noShapes = { useful_tokens: 0, padded_prefill_tokens: 0, idle_slot_steps: 0, overrun_tokens: 0 };

/** Ends a batch of tenant A behind the service's back. */
export async function endBatch(world: FakeWorld, batchId: string, output: ManifestObject['output']): Promise<void> {
  const now = world.clock.now();
  const manifest: ManifestObject = {
    v: 1,
    batchId,
    state: 'completed',
    finishedMs: now,
    finalizingMs: now,
    generatingMs: 0,
    reasons: [],
    givenUp: {},
    attempts: { workers_lost: 0, failed: 0 },
    counts: { total: output?.lines ?? 0, completed: output?.lines ?? 0, failed: 0 },
    output,
    errors: null,
    inputTokens: 0,
    outputTokens: 0,
    shapes: noShapes,
    eventId: 'evt_01',
  };
  await putJson(world, keys.manifest(tenantA, batchId), manifest);
}
