/** Bounds of planning, generating and finishing batches. */
export const batchesBounds = Object.freeze({
  // Shards. Lines bound the damage of a poison line, tokens bound the time of a shard (lost work after a crash). The first shards
  // of a batch are small, so that results show early and a small batch keeps several workers busy; the many of a large one are not.
  firstShards: 16,
  firstShardLinesMax: 64,
  shardLinesMax: 256,
  shardTokensMax: 64 * 1024,
  /** A worker holds the lines of a shard in memory, also those whose body is wrong and that take no tokens. */
  shardBytesMax: 8 * 1024 * 1024,
  /** It holds their answers too, as they are estimated, and whoever reads one of them gets the shard's. */
  shardAnswerBytesMax: 16 * 1024 * 1024,
  /**
   * Different grammars of a shard, by their native memory: all are held while its lines wait for the engine, kept or not. Those of four
   * shards fit into what is kept.
   */
  shardGrammarBytesMax: 24 * 1024 * 1024,
  /** Of one batch: whoever shows it lists the parts of all. Enough for a billion tokens in full shards; the plan takes 4 MB then. */
  shardsPerBatchMax: 16 * 1024,
  /** The head of a plan, as it is read for views: the tokens of each shard, and a kilobyte. */
  planHeadBytesMax: 256 * 1024,
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
   * So long after the completion window: from then on a batch is finished without parts that could not be written, and as failed when its
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

  // Order of the work. Each step of priority doubles a batch's share.
  /** Open batches of a tenant beyond this many lower its share no further. */
  crowdMax: 64,
  /** First shards of so many batches of a tenant, sent at once, take turns with other tenants: one page of the store's list. */
  crowdCountedMax: 1000,
  /** Open batches read at once while the queue's clock is restored. */
  clockReadsMax: 32,
  priorityMin: -10,
  priorityMax: 10,

  // Failed lines run again.
  /** Retries of a batch and retries of these, at all depths, deleted ones too: merged results read all of them. */
  retriesPerBatchMax: 100,
  retryDepthMax: 16,
  /** Parts that one call of `retry_failed` reads, of a batch and its retries: those of two of the largest batches, in a minute or two. */
  retryPartsMax: 32 * 1024,
  /** Reads for one page of merged results; beyond it the page ends. All retries of a batch take some 700 once, a line a hundred at most. */
  mergedReadsMax: 2000,
  /** Children whose records are read at once for it, and the parts of children that it keeps for its next lines. */
  mergedChildrenAtOnce: 8,
  mergedPartsKept: 256,
  mergedPartBytesMax: 8 * 1024 * 1024,
});
