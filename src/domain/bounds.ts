/**
 * Every limit of the service in one place. A limit names its unit in its suffix (Bytes, Ms, Max); where it comes from is said
 * beside it. Programs may lower or raise some of them through their config, never by another constant.
 */
export const bounds = Object.freeze({
  // Input files and lines: the limits of the OpenAI Batch API, so that files move over unchanged.
  inputFileBytesMax: 200 * 1024 * 1024,
  batchLinesMax: 50_000,
  lineBytesMax: 1024 * 1024,
  customIdCharsMax: 256,
  /** Errors listed in a failed batch; a last entry then gives the total. */
  batchErrorsListedMax: 100,
  /** Lenient batches keep bad lines in the plan; beyond this many the file is not what the user thinks it is. */
  rejectedLinesMax: 10_000,

  // Request bodies.
  jsonBodyBytesMax: 1024 * 1024,
  jsonDepthMax: 64,
  /** Body of a batch whose requests stand in it: some 50,000 short prompts. Held whole in memory, so no more; larger ones are files. */
  inlineBodyBytesMax: 16 * 1024 * 1024,
  promptsPerLineMax: 128,
  choicesPerPromptMax: 16,
  stopStringsMax: 16,
  stopCharsMax: 128,
  logprobsMax: 5,
  topLogprobsMax: 20,
  // Structured output. What a step of a grammar costs at most, and what compiling it costs, follows from the size of its text.
  grammarBytesMax: 64 * 1024,
  grammarRegexCharsMax: 8 * 1024,
  grammarLarkCharsMax: 16 * 1024,
  grammarChoicesMax: 1000,
  grammarChoiceCharsMax: 1000,
  /** Compiled grammars kept for the next line that asks for the same. */
  grammarsKept: 256,
  completionTokensDefault: 16,
  chatTokensDefault: 256,

  // Live calls: somebody holds a connection open for the answer.
  /** A call that is not answered, or a stream that has not begun, by then is given up: below the 300 s that clients wait at most. */
  liveWaitMs: 285_000,
  /** How often a call is given to a worker: another time when the first one ended before it had said anything. */
  liveAttemptsMax: 2,
  /** Longest life of a stream. */
  liveStreamMs: 3_600_000,
  /** A worker shows this often that it is at work, and whether anybody still listens. */
  livePulseMs: 1000,
  /** A worker silent for this long is lost. */
  liveSilenceMs: 10_000,
  /** A caller whose process died is waited for so long; renewed three times in it, so that one late renewal does not end a call. */
  livePresenceMs: 6000,
  /** Answers above this go through the object store, not through Redis, which would drop a slow reader. */
  liveInlineBytes: 256 * 1024,
  liveMessageBytesMax: 4 * 1024 * 1024,
  /** Chunks kept for a client that does not read them; then its connection is cut. */
  liveUnreadBytesMax: 8 * 1024 * 1024,
  /** Objects of a call older than this were left behind by a crash: every call is taken up or given up long before. */
  liveObjectMs: 600_000,
  /** Calls that one worker takes at once, as the scaler counts; also the default of the worker's setting. */
  liveCallsPerWorker: 32,
  /** When the API is told to end, streams under way get this long. */
  liveShutdownMs: 10_000,
  /** A stream without news is shown to be alive this often, so that no proxy cuts it. */
  liveCommentMs: 15_000,

  metadataPairsMax: 16,
  metadataKeyCharsMax: 64,
  metadataValueCharsMax: 512,
  filenameCharsMax: 255,
  idempotencyKeyCharsMax: 255,

  // Shards. Lines bound the damage of a poison line, tokens bound the time of a shard (lost work after a crash). The first shards
  // of a batch are small, so that results show early and a small batch keeps several workers busy; the many of a large one are not.
  firstShards: 16,
  firstShardLinesMax: 64,
  shardLinesMax: 256,
  shardTokensMax: 64 * 1024,
  shardsPerBatchMax: 10_000,
  /** Parts of a batch read ahead when it is finished: at 20 ms each, 10,000 take 3 s. No more bytes than this and one part. */
  partReadsMax: 64,
  partReadBytesMax: 32 * 1024 * 1024,
  /** Result lines that wait for the store to take them, per file, while parts are merged. */
  resultUnreadBytesMax: 4 * 1024 * 1024,

  // Work that fails. What has failed is noted in the object store, so that no restart forgets it.
  /** Lines of a suspect shard that are run together first: enough to fill the slots of a worker. */
  suspectLinesFirst: 32,
  /** A range of lines that failed is divided into so many. */
  suspectParts: 8,
  /** A line that failed so often with nothing beside it is given up: twice, since a worker may end for a reason of its own. */
  lineAttemptsMax: 2,
  /** Failed attempts at the ranges of one batch; beyond it, a range that fails is given up without looking for its line. */
  batchFailuresMax: 64,
  /** A plan or a finish that failed so often for a reason of its own ends its batch as failed. */
  stepAttemptsMax: 5,
  /** After so many more, a finish that could not even put errors in the place of broken parts ends its batch without files. */
  finishExtraAttempts: 3,
  /**
   * Behind the completion window: from then on a batch is finished without parts that could not be written, and as failed when its
   * finish cannot be done for reasons around it; without files when it still cannot after as long again.
   */
  finishLateMs: 3_600_000,

  // Dry runs: checked by the API itself, while the caller waits.
  /** What was read by then is the answer: below the 300 s that clients wait. */
  dryRunMs: 120_000,
  /** Dry runs at once in a process; more are told to come back. */
  dryRunsMax: 2,
  /** Padding is estimated for no more sequences: their shapes are held in memory. */
  dryRunSequencesMax: 200_000,

  // Queue.
  jobsPerAddMax: 500,
  /** An idle consumer looks for jobs this often at first, then half as often each time; most are told sooner (`JobOrder`). */
  feedPollMsMin: 100,
  feedPollMsMax: 1000,
  /** While shards end faster than this, as many as are done at once wait ready: a batch that comes now waits for them no longer. */
  feedAheadMs: 1000,
  /** A consumer that found nothing counts as idle for this long: a little longer than until it looks again. */
  feedIdleMs: 1500,
  shardAttemptsMax: 5,
  /** A net behind the counts of the steps themselves, which note in the store what was lost: far above what they allow. */
  stalledCountMax: 100,

  // Object store.
  /** Small reads that one call or one sweep makes at once: hides the store's latency, and stays below its clients' connections. */
  storeReadsAtOnce: 32,
  /** Records of batches that a process remembers, and their weight: a shard of a plan weighs 1, some 300 bytes. */
  recordsKeptMax: 64 * 1024,
  recordsKeptWeightMax: 256 * 1024,
  storeListPageMax: 1000,
  multipartPartBytes: 8 * 1024 * 1024,
  /** Keys in one call that deletes many: the most that S3 takes. */
  storeDeletesMax: 1000,
  /**
   * A file is digested in pieces of this size, and a read verifies a piece before it gives any of it away: so much is held for each
   * download under way, and read for the smallest range.
   */
  fileChunkBytes: 1024 * 1024,

  // Sweeps.
  /** A batch that shows nothing new is looked at this often, at least. */
  sweepLookMs: 60_000,
  /** The same while somebody asks for news of running batches. */
  sweepNewsLookMs: 30_000,
  /** Shards of one batch that are given up in one look: a large one must not hold up the sweep. */
  giveUpsPerLook: 1000,
  /** Of these, at once. */
  giveUpsAtOnce: 4,
  /** The open work of a batch is noted again after this although it is the same: the board may have lost it. */
  openWorkNotedMs: 600_000,
  /** Another process takes a sweep over when nothing was heard for this long of the one that did it, or for three pauses between sweeps. */
  sweepLeaseMsMin: 15_000,

  // Inboxes. A poll of one takes about four pages and four seconds of a slow store (20 ms a call), however much lies there.
  inboxesAtOnce: 8,
  /** Pages listed of an inbox in a poll; a larger inbox is walked in windows of so many, each looked at twice. */
  inboxPagesPerPoll: 4,
  /** Drops of an inbox that are taken, or asked of the store whether they were, in a poll. */
  inboxTakesPerPoll: 500,
  inboxTakesAtOnce: 16,
  /** Drops that a process remembers as taken, some 70 bytes each, an equal share for each inbox; others are asked of the store again. */
  inboxRemembered: 256 * 1024,
  /** Of each inbox at least as many as a window holds: a small one is then remembered whole, however many inboxes there are. */
  inboxRememberedMin: 4000,

  // Files and windows, seconds.
  expiresAfterSecondsMin: 3600,
  expiresAfterSecondsMax: 2_592_000,
  batchFileExpirySeconds: 30 * 24 * 3600,
  completionWindowSecondsMax: 30 * 24 * 3600,
  /** Last second of the year 9999: times behind it are no times. */
  unixSecondsMax: 253_402_300_799,

  // Order of the work. Each step of priority doubles a batch's share.
  /** Open batches of a tenant beyond this many lower its share no further. */
  crowdMax: 64,
  /** First shards of so many batches of a tenant, sent at once, take turns with other tenants: one page of the store's list. */
  crowdCountedMax: 1000,
  /** Open batches read at once while the queue's clock is restored. */
  clockReadsMax: 32,
  priorityMin: -10,
  priorityMax: 10,

  // Failed lines run again: children of a batch, deleted ones too, and children of children. Merged results read all of them.
  retriesPerBatchMax: 100,
  retryDepthMax: 16,

  // Reports of bad answers, per tenant.
  reportCommentCharsMax: 2000,
  /** Kept at once; those that were dealt with are deleted. */
  reportsMax: 1000,
  reportsPageDefault: 20,
  reportsPageMax: 100,

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
  /** Posts to one endpoint at once, per program: a receiver that hangs must not hold up the others. */
  webhookPostsPerEndpoint: 4,
  /** An endpoint that nothing has reached for this long is disabled. */
  webhookFailingMs: 5 * 24 * 3600 * 1000,
  /** The call that sends a test event waits this long for its outcome. */
  webhookTestWaitMs: 20_000,
  /** `batch.progress` at most this often, and per this share of the lines. */
  webhookProgressMs: 30_000,
  webhookProgressShare: 0.05,
  webhookPageDefault: 20,
  webhookPageMax: 100,

  // Pages of lists.
  batchesPageDefault: 20,
  batchesPageMax: 100,
  filesPageMax: 10_000,
  /** Files in one answer, whatever `limit` says: `has_more` tells clients to ask on. Each costs two reads of the store. */
  filesPerAnswerMax: 1000,
  resultsPageDefault: 100,
  resultsPageMax: 1000,
  /** A page of results ends behind the line that passes this size. */
  resultsPageBytes: 4 * 1024 * 1024,

  // Uploads in parts. The part size is the one of the official clients, in MiB.
  uploadPartBytesMax: 64 * 1024 * 1024,
  uploadPartsMax: 10_000,
  uploadSeconds: 3600,
  mimeTypeCharsMax: 255,

  // HTTP.
  formFieldsMax: 16,
  formFieldBytesMax: 64 * 1024,
  apiKeyCharsMax: 512,
  keyNameCharsMax: 100,
  /** 256 bits: no list and no hardware gets through them, so the stored hash needs no salt and no slowness. */
  keySecretBytes: 32,
  keySecondsMin: 60,
  keySecondsMax: 10 * 365 * 24 * 3600,
  keysPageMax: 100,
  /** What was found of a key is believed for this long: a revoked key works no longer than that. */
  keyFreshMs: 30_000,
  keysCachedMax: 10_000,
  /** A key's last use is noted this often at most. */
  keyUseNotedMs: 3_600_000,
  /** Per tenant: far above what polling needs, below what a client in a loop does. */
  requestsPerMinute: 6000,

  // Quotas of a tenant for which the tenants file names none.
  /** Ten full batches of the largest contexts. */
  queuedTokensDefault: 1_000_000_000,
  filesBytesDefault: 100 * 1024 * 1024 * 1024,
  openBatchesDefault: 1000,
  /** A tenant's files are counted this often at most, in the whole installation. */
  filesCountedMs: 60_000,
  /** An upload tells the others what it has brought at least this often, so the quota is passed by no more per upload under way. */
  filesToldBytes: 1024 * 1024,
  /** What is known of a tenant's usage is forgotten when nobody has asked for it this long; then it is counted anew. */
  usageKeptMs: 3_600_000,
  /** A request waits this long at most for what the processes share (Redis); then its process counts for itself. */
  sharedAnswerMs: 250,
  /** After a call that failed, Redis is left alone for this long, so that its outage does not slow each request. */
  sharedRestMs: 5000,
  headerBytesMax: 16 * 1024,
  /** Above the idle time of common proxies (60 s), so that they never reuse a connection that is being closed. */
  keepAliveMs: 75_000,
  /** A whole request, upload included. Slow senders are cut far earlier, by their rate. */
  requestMs: 3_600_000,
  /** A body must arrive at this mean rate once the grace has passed. */
  bodyBytesPerSecondMin: 1024,
  bodyGraceMs: 30_000,
  /** Rest of a refused body that is read and dropped, so that the client gets to see the answer. */
  drainBytesMax: 256 * 1024 * 1024,

  // What tenants share.
  /** Share of a tenant for which the tenants file names none, and what it may name. */
  weightDefault: 1,
  weightMin: 0.01,
  weightMax: 100,
  /** Refused work of one tenant is logged this often at most. */
  refusalLogMs: 60_000,
});

export type BoundName = keyof typeof bounds;
