/** Bounds of the queue, the object store and the sweeps over them. */
export const queueAndStoreBounds = Object.freeze({
  // Queue.
  jobsPerAddMax: 500,
  /** An idle consumer looks for jobs this often at first, then half as often each time; most are woken sooner (`JobOrder`). */
  feedPollMsMin: 100,
  feedPollMsMax: 1000,
  /** While shards end faster than this, as many as are done at once wait ready: a batch that comes now waits for them no longer. */
  feedAheadMs: 1000,
  /** A consumer that found nothing counts as idle for this long: a little longer than until it looks again. */
  feedIdleMs: 1500,
  shardAttemptsMax: 5,
  /** A backstop for the counts of the steps themselves, which note in the store what was lost: far above what they allow. */
  stalledCountMax: 100,

  // Object store.
  /** Small reads that one call or one sweep makes at once: hides the store's latency, and stays below its clients' connections. */
  storeReadsAtOnce: 32,
  /** Records of batches that a process remembers, and what they take in memory, about; beyond it, the tenant with most loses its oldest. */
  recordsKeptMax: 64 * 1024,
  recordsKeptBytesMax: 128 * 1024 * 1024,
  storeListPageMax: 1000,
  multipartPartBytes: 8 * 1024 * 1024,
  /** Keys in one call that deletes many: the most that S3 takes. */
  storeDeletesMax: 1000,
  /**
   * A file is digested in pieces of this size, and a read verifies a piece before it gives any of it away: so much is held for each
   * download under way, and read for the smallest range.
   */
  fileChunkBytes: 1024 * 1024,

  /** Space that a folder keeps for the records of removals, for when its disk is full: so many files of so many bytes. */
  spareFiles: 100,
  spareFileBytes: 4096,
  /** Removals make spare files again this often at most. */
  spareFilledMs: 10_000,
  /** With less free space than this the store counts as full: no upload of any size fits. */
  storeFreeBytesMin: 1024 * 1024,

  // Sweeps.
  /** A batch that shows nothing new is looked at this often, at least. */
  sweepLookMs: 60_000,
  /** The same while somebody asks for news of running batches. */
  sweepNewsLookMs: 30_000,
  /** Deliveries of a tenant that are looked at in one sweep; the next one goes on after them. */
  deliveriesPerSweep: 500,
  /** Events of a tenant that are still to be told, listed in one sweep: all of them, but for a moment above `webhookPendingEventsMax`. */
  noticesPerSweep: 10_000,
  /** Open batches of a tenant that are looked at in one sweep; the next one goes on after them. */
  looksPerSweep: 500,
  /** Shards of a tenant that are given up in one sweep, of one or of several batches: they must not hold up the others' looks. */
  giveUpsPerSweep: 500,
  /** Of these, at once. */
  giveUpsAtOnce: 16,
  /** The open work of a batch is noted again after this although it is the same: the board may have lost it. */
  openWorkNotedMs: 600_000,
  /** Another process takes a sweep over when the one that did it has not renewed it for this long, or for three pauses between sweeps. */
  sweepLeaseMsMin: 15_000,
  /** Entries of a tenant that a sweep of uploads or removals takes in one turn, and steps of a tenant at once. */
  sweepEntriesPerTurn: 200,
  sweepStepsPerTenant: 16,
  /** Tenants that have more get further turns of such a sweep for this long; then all begin anew. */
  sweepTurnsMs: 60_000,
  /** Keys of a page that is read for the names of tenants. */
  sweepTenantsListed: 100,
  /** Entries of removals that earlier versions wrote, in one list for all tenants, that one sweep moves to the tenants' own. */
  sweepOldEntriesMax: 10_000,

  /** Folders that a page of the listing of an inbox enters, whether they hold files or not: some 0.1 s of a local disk. */
  listFoldersMax: 2000,
  /** Entries that cannot be looked at, named on a page of the listing of an inbox. */
  listSkippedMax: 100,

  /** The pages of a listing of a folder are made of what it held when the first one was read, for so long at most. */
  listedAgeMs: 60_000,

  // Removal.
  /** Bytes of what was deleted or has expired go this much later: a call that found it just before may still be reading. */
  removalDelayMs: 60_000,
  /** Something that keeps bytes from being removed (a running batch, a notice not delivered) is looked at again after this. */
  removalRetryMs: 600_000,
  /** A mark whose object is not there or not due is kept this long: the call that made it may still be under way. */
  removalMarkMs: 3_600_000,
  /** Content without a file is looked for this long after its upload began: above `requestMs`. */
  uploadLeftoverMs: 2 * 3600 * 1000,
  /** Result files that no manifest names are looked for this long after a finisher began them: far above the longest finish. */
  resultLeftoverMs: 2 * 3600 * 1000,
  /** A deleted file can be deleted again, and is known as a cursor of lists, for this long. */
  tombstoneMs: 24 * 3600 * 1000,
});
