import { toWorld, type World } from '../../src/app/world.js';
import { plainOffer, type Offer } from '../../src/domain/offer.js';
import { defaultQuotas, type Quotas } from '../../src/domain/quotas.js';
import type { ServedModel } from '../../src/domain/served-model.js';
import type { ObjectStore } from '../../src/ports/object-store.js';
import type { WebhookEndpoint } from '../../src/ports/tenants.js';
import { FakeEgress, testSealer } from './fake-webhook-guards.js';
import { CountingIds } from './counting-ids.js';
import { FakeClock } from './fake-clock.js';
import { MemoryLiveChannel } from './memory-live-channel.js';
import { MemoryLog } from './memory-log.js';
import { MemoryProgress } from './memory-progress.js';
import { MemoryQueue, type MemoryQueueSettings } from './memory-queue.js';
import { MemorySharedState } from './memory-shared-state.js';
import { MemoryStore } from './memory-store.js';
import { scriptedEndToken } from './scripted-engine.js';

export const testModel: ServedModel = {
  id: 'test/falcon',
  aliases: ['falcon'],
  created: 1_767_225_600,
  ownedBy: 'test',
  contextTokens: 256,
  vocabSize: scriptedEndToken + 1,
  endTokenId: scriptedEndToken,
  digest: 'sha256:0',
};

export const testSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

export interface FakeWorld<Store extends ObjectStore = MemoryStore> extends World {
  readonly store: Store;
  readonly queue: MemoryQueue;
  readonly progress: MemoryProgress;
  readonly live: MemoryLiveChannel;
  readonly shared: MemorySharedState;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
}

/** A world of fakes: one tenant `acme`, key `key`, time that stands still. */
export function fakeWorld(
  options: {
    endpoints?: readonly WebhookEndpoint[];
    queue?: Partial<MemoryQueueSettings>;
    offer?: Offer;
    quotas?: Partial<Quotas>;
  } = {},
): FakeWorld {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const ports = {
    store,
    queue: new MemoryQueue(clock, options.queue),
    progress: new MemoryProgress(clock),
    live: new MemoryLiveChannel(),
    shared: new MemorySharedState(clock),
    sealer: testSealer,
    egress: new FakeEgress(),
    clock,
    log: new MemoryLog(),
    ids: new CountingIds(),
    model: testModel,
    offer: options.offer ?? plainOffer,
    idSecret: 'a secret of the tests, nothing else',
    tenants: {
      tenantOfKey: (key: string) => Promise.resolve(key === 'key' ? 'acme' : null),
      knownTenantOfKey: (key: string) => (key === 'key' ? 'acme' : null),
      webhookEndpoints: () => Promise.resolve(options.endpoints ?? []),
      signingSecrets: () => Promise.resolve([testSecret]),
      quotas: () => ({ ...defaultQuotas, ...options.quotas }),
      weight: () => 1,
      inboxTenants: () => ['acme'],
    },
  };
  return toWorld(ports);
}
