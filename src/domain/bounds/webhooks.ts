/** Bounds of webhooks. */
export const webhooksBounds = Object.freeze({
  // Webhooks: 0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h = 75 h 35 m in all.
  webhookRetryDelaysMs: Object.freeze(
    [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400].map((seconds) => seconds * 1000),
  ),
  /** Delays are lengthened by up to this share, so that receivers that failed together are not all called together again. */
  webhookRetrySpread: 0.2,
  webhookTimeoutMs: 15_000,
  webhookTimeoutMsMax: 30_000,
  webhookAnswerBytesMax: 64 * 1024,
  webhookBodyBytesMax: 20_000,
  webhookUrlCharsMax: 2048,
  webhookDescriptionCharsMax: 512,
  webhookEndpointsMax: 50,
  /** 192 to 512 bits are what Standard Webhooks asks for. */
  webhookSecretBytes: 32,
  /** Secrets that sign at once while one is being replaced. */
  webhookSecretsMax: 5,
  webhookSecretOverlapSeconds: 24 * 3600,
  webhookSecretOverlapSecondsMax: 7 * 24 * 3600,
  /** A client's automatic retry of a creation gets the endpoint of its first attempt for this long. */
  webhookCreateRetryMs: 15 * 60 * 1000,
  webhookReplaysMax: 100,
  /** Events of a tenant that are still to be sent: what a batch every minute gives in three days. Further ones are sent by a replay only. */
  webhookPendingEventsMax: 5000,
  /** They are counted this often at most, per process. */
  webhookPendingCountedMs: 10_000,
  /** Attempts are queued when they are due this soon, so that Redis does not hold what waits for hours. */
  webhookQueuedAheadMs: 60_000,
  /** Events that are not the end of a batch, and their deliveries, are kept this long; test events for a day. */
  webhookEventKeptMs: 30 * 24 * 3600 * 1000,
  webhookTestKeptMs: 24 * 3600 * 1000,
  // Posts under way, per program. Most of a post is waiting for the receiver; what hangs must not hold up the others.
  /** Posts at once. A tenant gets an eighth at most of those that are free: others always find some. */
  webhookPosts: 256,
  webhookPostsPerTenant: 16,
  webhookPostsPerEndpoint: 4,
  /** The same for one that was slow the last time, or that nothing is known of; such have half of a tenant's places together. */
  webhookPostsPerUnproven: 2,
  /** A receiver that takes longer counts as slow until it answers sooner. */
  webhookSlowMs: 5000,
  /** Deliveries of a tenant that a program remembers while they wait for a place, some 300 bytes each; a sweep brings the others back. */
  webhookWaitingPerTenant: 1000,
  /** Deliveries that wait are looked at this often, beside each time when one has ended. */
  webhookWakeMs: 250,
  /** Copies to outboxes, per program; they and posts do not wait for each other. */
  outboxCopies: 64,
  outboxCopiesPerTenant: 4,
  // Look-ups of names, per program. Each is one UDP socket; a name server that says nothing holds it for `webhookLookupMs`.
  webhookLookups: 256,
  webhookLookupsPerTenant: 8,
  webhookLookupsWaitingPerTenant: 32,
  webhookLookupMs: 5000,
  /** A name that was not looked up in time fails at once for this long; twice as long each time, up to the most. */
  webhookNameRestMs: 2000,
  webhookNameRestMsMax: 60_000,
  /** Such names remembered of a tenant. */
  webhookNamesKept: 256,
  /** Addresses of a receiver that a connection is tried to. */
  webhookAddressesTried: 8,
  /** An endpoint that nothing has reached for this long is disabled. */
  webhookFailingMs: 5 * 24 * 3600 * 1000,
  /** The call that sends a test event waits this long for its outcome. */
  webhookTestWaitMs: 20_000,
  /** Such calls at once, per process and of a tenant: each reads the store again and again. */
  webhookTests: 64,
  webhookTestsPerTenant: 4,
  webhookTestsWaitingPerTenant: 8,
  /** Changes of a tenant's endpoints are made one after the other, so that limits hold; so many wait, per process. */
  webhookChanges: 32,
  webhookChangesWaitingPerTenant: 64,
  /** Deleted endpoints that are still remembered: a change that began before must find that there is nothing to change. */
  webhookTombstonesMax: 200,
  webhookTombstoneMs: 3_600_000,
  /** `batch.progress` at most this often, and per this share of the lines. */
  webhookProgressMs: 30_000,
  webhookProgressShare: 0.05,
  webhookPageDefault: 20,
  webhookPageMax: 100,
});
