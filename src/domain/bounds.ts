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
  /**
   * Named members of a body or of a batch line, those named by a token id aside: a parser takes up to 1.4 µs for each, so many keep
   * it within 60 ns a byte and 5 ms. A JSON schema of 1200 members, or 1000 chat messages, stay below.
   */
  jsonMembersMax: 2560,
  /** Objects and arrays of a body or of a batch line: 0.2 µs each to parse and to write. */
  jsonContainersMax: 16 * 1024,
  /** Body of a batch whose requests stand in it: some 50,000 short prompts. Held whole in memory, so no more; larger ones are files. */
  inlineBodyBytesMax: 16 * 1024 * 1024,
  promptsPerLineMax: 128,
  /** A turn takes some ten tokens, and no Falcon has a context of more than 8192. */
  chatMessagesMax: 1024,
  chatPartsMax: 1024,
  /** Above the vocabulary of every Falcon. */
  logitBiasMax: 100_000,
  /** The answer to a line as it is estimated before anything is generated: a worker holds it whole. */
  lineAnswerBytesMax: 64 * 1024 * 1024,
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
  /** Named members of a schema, at all its depths. What compiling costs grows with the square: some 0.25 s for a thousand optional ones. */
  grammarMembersMax: 2048,
  /** `minimum`, `maximum` and the like in a schema: half a millisecond each. */
  grammarRangesMax: 512,
  /** Compiled grammars kept for the next line that asks for the same; when there are more, the tenant that has most loses its oldest. */
  grammarsKept: 256,
  /** Grammars compiled at once: half of Node's four pool threads, which files and tokenizers need too. */
  grammarCompilesMax: 2,
  /** Live calls of one tenant that wait for a grammar; further ones are refused. Files wait one line at a time, and are not. */
  grammarsWaitingMax: 32,
  /** Different grammars in one batch: each is compiled before the batch is planned. */
  grammarsPerBatchMax: 1000,
  completionTokensDefault: 16,
  chatTokensDefault: 256,

  // Work on an event loop.
  /** After so long without a pause others get their turn. One line may take 45 ms more; nobody waits longer than 60. */
  turnMs: 10,
  /** Bytes of a large body that are looked at in one turn: some 5 ms. */
  turnBytes: 256 * 1024,
  /** A body below this is parsed as it comes, in a millisecond; larger ones one after the other, of each tenant one at a time. */
  parseAtOnceBytes: 16 * 1024,
  parsesMax: 4,
  parsesPerTenant: 1,
  /** After a large body its place stays taken for so many times as long as it took, and for this at most: one tenant gets a quarter of the loop. */
  parsePauseShare: 3,
  parsePauseMsMax: 250,
  /** Characters of a text that `/tokenize` takes: several of the largest contexts, and an answer of a megabyte. */
  tokenizeCharsMax: 128 * 1024,
  /** Token ids that `/detokenize` takes. */
  detokenizeTokensMax: 128 * 1024,

  // Live calls: somebody holds a connection open for the answer. What is larger is work for a batch.
  /** Prompts times candidates: all slots of a worker twice. */
  liveSequencesMax: 64,
  /** Prompt tokens that are computed, each prompt once for each of its candidates: 16 full contexts of 2048. */
  livePromptTokensMax: 32 * 1024,
  /** Tokens that may be generated, all candidates together. */
  liveOutputTokensMax: 32 * 1024,
  /** An answer as it is estimated before anything is generated. */
  liveAnswerBytesMax: 8 * 1024 * 1024,
  /** Open calls of one tenant in one API process, streams included. */
  liveCallsPerTenant: 512,
  /** Of the places and slots of a worker one tenant's live calls hold at most this share, at least one, so that another's call is taken at once. */
  liveTenantShare: 0.75,
  /** A call that finds its tenant at its share of a worker comes again after this; others are taken meanwhile. */
  livePutBackMs: 500,
  /** Large answers that are being given out of the store at once in an API process, and of these of one tenant. */
  liveLargeAnswersMax: 32,
  liveLargeAnswersPerTenant: 8,
  /** A client has so long to take a large answer: 8 MB at 28 KB/s. */
  liveLargeAnswerMs: 300_000,
  /** A call that is not answered, or a stream that has not begun, by then is given up: below the 300 s that clients wait at most. */
  liveWaitMs: 285_000,
  /** How often a call is given to a worker: another time when the first one ended in order, or before it had begun with the call. */
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
  /** The same for all streams of a tenant in an API process together: the one with most of them is cut. */
  liveUnreadPerTenantBytesMax: 32 * 1024 * 1024,
  /** Objects of a call older than this were left behind by a crash: every call is taken up or given up long before. */
  liveObjectMs: 600_000,
  /** Calls that one worker takes at once, as the scaler counts; also the default of the worker's setting. */
  liveCallsPerWorker: 32,
  /** When the API is told to end, streams under way get this long. */
  liveShutdownMs: 10_000,
  /** A stream without news is shown to be alive this often, so that no proxy cuts it. */
  liveCommentMs: 15_000,

  /** Ids and what stands for them in a request: those of the service have some 40 characters. */
  idCharsMax: 128,
  cursorCharsMax: 256,
  modelNameCharsMax: 256,
  /** A completion window such as `24h`, and a time in words. */
  windowCharsMax: 16,
  timeCharsMax: 64,
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
  /** A worker holds the lines of a shard in memory, also those whose body is wrong and that take no tokens. */
  shardBytesMax: 8 * 1024 * 1024,
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

  /** Batches that a program finishes at once, and of these of one tenant: one of 10,000 parts takes seconds. */
  finishesMax: 4,
  finishesPerTenant: 3,

  // Dry runs: checked by the API itself, while the caller waits.
  /** What was read by then is the answer: below the 300 s that clients wait. */
  dryRunMs: 120_000,
  /** Dry runs at once in a process, one of a tenant; further ones wait. */
  dryRunsMax: 2,
  /** Dry runs of one tenant that wait; further ones are refused. */
  dryRunsWaitingMax: 2,
  /** Bytes of an input between two pauses of a dry run, each as long as what was done since the last: other calls get half of the time. */
  dryRunStepBytes: 64 * 1024,
  /** Padding is estimated for no more sequences: their shapes are held in memory. */
  dryRunSequencesMax: 200_000,

  // Planning.
  /** Batches that a `control` process plans at once, and of these of one tenant: all but one, so that tenants' weights decide where several wait. */
  plansMax: 6,
  plansPerTenant: 5,

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
  /** Deliveries of a tenant that are looked at in one sweep; the next one goes on behind them. */
  deliveriesPerSweep: 500,
  /** Shards of one batch that are given up in one look: a large one must not hold up the sweep. */
  giveUpsPerLook: 1000,
  /** Of these, at once. */
  giveUpsAtOnce: 4,
  /** The open work of a batch is noted again after this although it is the same: the board may have lost it. */
  openWorkNotedMs: 600_000,
  /** Another process takes a sweep over when nothing was heard for this long of the one that did it, or for three pauses between sweeps. */
  sweepLeaseMsMin: 15_000,

  /** Folders that a page of the listing of an inbox enters, whether they hold files or not: some 0.1 s of a local disk. */
  listFoldersMax: 2000,
  /** Entries that cannot be looked at, named on a page of the listing of an inbox. */
  listSkippedMax: 100,

  // Inboxes. A poll of one takes about four pages and four seconds of a slow store (20 ms a call), however much lies there.
  inboxesAtOnce: 8,
  /** Pages listed of an inbox in a poll; a larger inbox is walked in windows of so many, each looked at twice. */
  inboxPagesPerPoll: 4,
  /** Drops of an inbox that are taken, or asked of the store whether they were, in a poll. */
  inboxTakesPerPoll: 500,
  inboxTakesAtOnce: 16,
  /** A drop or a folder that cannot be read is rejected when so many looks have met it. */
  inboxTriesMax: 5,
  /** Of these, remembered for each inbox: each is told once. */
  inboxTroublesMax: 1000,
  /** A poll waits so long for an inbox; a slower one is looked at beside the polls from then on. */
  inboxWaitMs: 5000,
  /** Slow inboxes looked at at once. */
  inboxesSlowAtOnce: 4,
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
  /** Uploads of a tenant that have not ended: each keeps records and parts for an hour. Far more than a client sends at once. */
  uploadsOpenMax: 256,
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

  // Small files of a checkpoint. The published ones have some kB, 2.7 MB of tokenizer, 0.02 MB of model card.
  modelConfigBytesMax: 4 * 1024 * 1024,
  tokenizerBytesMax: 32 * 1024 * 1024,
  modelCardBytesMax: 1024 * 1024,
  /** Each file that a conversion copies beside the weights. */
  companionBytesMax: 64 * 1024 * 1024,
  /** Numbers of a config.json, far above those of the 180B: 80 layers, 59,392 wide, a vocabulary of 65,024. */
  modelLayersMax: 1024,
  modelSizeMax: 1024 * 1024,
  /** Of a tokenizer whose model is not known; else the model's vocabulary is the bound. */
  tokenizerVocabMax: 1024 * 1024,
  /** Ends of text that a config may name. */
  endTokensMax: 64,

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
  /** A claim on a place of a count limit that nobody renews or drops is over after this: the act was cut off. */
  placeKeptMs: 120_000,
  /** Acts of one tenant and limit at once in a process: each reads the claims of the others. */
  placesAtOnce: 32,
  /** While others that are under way would use a limit up, they are looked at again after this. */
  placeLookMs: 100,
  /** A plan waits so long for others of its tenant that are being fixed at the same moment. */
  planPlaceWaitMs: 5000,
  /** A request waits this long at most for what the processes share (Redis); then its process counts for itself. */
  sharedAnswerMs: 250,
  /** After a call that failed, Redis is left alone for this long, so that its outage does not slow each request. */
  sharedRestMs: 5000,
  headerBytesMax: 16 * 1024,
  /** Above the idle time of common proxies (60 s), so that they never reuse a connection that is being closed. */
  keepAliveMs: 75_000,
  /** A whole request, upload included. Slow senders are cut far earlier, by their rate. */
  requestMs: 3_600_000,
  /** Requests of one connection that are carried out at once: clients that send ahead get their answers one after the other anyway. */
  pipelinedAtOnce: 2,
  /** Requests sent ahead on one connection, and on all of a process, that wait for earlier ones: some 2 KB each. Beyond it the connection is closed. */
  pipelinedWaitingMax: 2500,
  pipelinedWaitingInAllMax: 20_000,
  /** Headers of a request, from the opening of the connection or from their first byte. */
  headersMs: 30_000,
  /** How often that is looked at. */
  connectionsLookMs: 5000,
  /** A body must arrive at this rate in each window of the grace's length, the first one included. */
  bodyBytesPerSecondMin: 1024,
  bodyGraceMs: 30_000,
  /** A body that is sent in chunks: so many may be of any size; all together then have this mean size at least. */
  bodyPiecesFree: 256,
  bodyPieceBytesMin: 16,
  /** Beside its content, so much frame at most: the sizes of chunks and what is written behind them. */
  bodyFrameBytesFree: 128 * 1024,
  /**
   * So much of an answer must be taken in each window in which some of it waits for the client. The system's buffer of a fast
   * connection (4 MB) tells of what was taken in steps of up to 1.5 MB: with such a buffer, whoever takes 20 kB a second shows
   * a step in each window.
   */
  readerBytesPerSecondMin: 1024,
  readerGraceMs: 90_000,
  /** A client has this long to see an answer behind which the connection is closed. */
  lingerMs: 2000,
  /** Connections at once where the limit of open files allows for as many: see `connectionsShare`. */
  connectionsMax: 10_000,
  /** Of the open files that the process may have; the rest is for the store and Redis. */
  connectionsShare: 0.5,
  /** Keys that were refused, a minute and remote address: beyond, unknown ones are looked for among all keys together. */
  refusedKeysPerMinute: 120,
  /** Remote addresses of which refused keys are remembered; the oldest are forgotten. */
  refusedAddressesMax: 10_000,
  /** All keys are listed this often at most, and for a tenth of the time at most, while somebody tries keys. */
  keysListedMs: 1000,
  /** Rest of a refused body that is read and dropped, so that the client gets to see the answer. */
  drainBytesMax: 256 * 1024 * 1024,

  // What tenants share.
  /** A call waits this long at most for a place of its tenant. */
  placeWaitMs: 20_000,
  /** Files that are read at once, by a tenant and by all: each holds a piece of `fileChunkBytes` and a connection to the store. */
  downloadsPerTenant: 32,
  downloadsMax: 192,
  downloadsWaitingMax: 64,
  /** Contents whose first piece is read and digested at once: a small range costs no less. */
  openingsPerTenant: 4,
  openingsMax: 16,
  openingsWaitingMax: 64,
  /** Files and parts that are sent at once: each holds two parts of `multipartPartBytes` where the store is S3. */
  uploadsPerTenant: 8,
  uploadsMax: 40,
  uploadsWaitingMax: 64,
  /** JSON bodies that are held, by the length they declare; one without a length counts as the longest that its call takes. */
  bodyBytesPerTenant: 64 * 1024 * 1024,
  bodyBytesUnderWayMax: 256 * 1024 * 1024,
  bodiesWaitingMax: 1000,
  /** What the smallest body counts for. */
  bodyBytesCounted: 4096,
  /** Lists that are read at once: each makes up to `storeReadsAtOnce` calls of the store. */
  listsPerTenant: 2,
  listsMax: 6,
  listsWaitingMax: 2000,
  /** Pages of results that are read or on their way: each holds `resultsPageBytes`. */
  resultsPerTenant: 4,
  resultsMax: 24,
  resultsWaitingMax: 2000,
  /** Share of a tenant for which the tenants file names none, and what it may name. */
  weightDefault: 1,
  weightMin: 0.01,
  weightMax: 100,
  /** Refused work of one tenant is logged this often at most. */
  refusalLogMs: 60_000,
});

export type BoundName = keyof typeof bounds;
