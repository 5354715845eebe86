/** Bounds of what tenants may take up, and what they share. */
export const tenantsBounds = Object.freeze({
  // Quotas of a tenant for which the tenants file names none.
  /** Ten full batches of the largest contexts. */
  queuedTokensDefault: 1_000_000_000,
  filesBytesDefault: 100 * 1024 * 1024 * 1024,
  /** Each result line is stored twice: in the part of its shard and in the result file. */
  resultsBytesDefault: 100 * 1024 * 1024 * 1024,
  /** Lists of the store are walked to count them, and a folder store holds the names of all in memory: some 20 MB. */
  filesPerTenant: 100_000,
  openBatchesDefault: 1000,
  /** A tenant's files are counted this often at most, in the whole installation. */
  filesCountedMs: 60_000,
  /** The same of its results, which are many objects; every minute when they are too many. */
  resultsCountedMs: 600_000,
  /** An upload reports to the others what it has brought at least this often, so the quota is passed by no more per upload under way. */
  filesToldBytes: 1024 * 1024,
  /** What is known of a tenant's usage is forgotten when nobody has asked for it this long; then it is counted anew. */
  usageKeptMs: 3_600_000,
  /** A claim on room below a limit of counted things that nobody renews or drops is over after this: the act was cut off. */
  claimKeptMs: 120_000,
  /** Acts of one tenant and limit at once in a process: each reads the claims of the others. */
  claimsAtOnce: 32,
  /** While others that are under way would use a limit up, they are looked at again after this. */
  claimLookMs: 100,
  /** How old a count of a tenant's queued tokens may be where it leaves room; what was planned since is noted for longer than that. */
  tokensAgeMs: 20_000,
  plannedKeptMs: 30_000,
  /** Plans of so long are one note of a process. */
  plannedBucketMs: 5000,
  /** Reads at once of such a count, and how old the list of a tenant's open batches may be that says where a batch stands among them. */
  tokenReadsAtOnce: 4,
  openListAgeMs: 2000,
  /** A plan waits so long for others of its tenant that are being fixed at the same moment. */
  planClaimWaitMs: 5000,
  /** A request waits this long at most for what the processes share (Redis); then its process counts for itself. */
  sharedAnswerMs: 250,
  /** After a call that failed, Redis is left alone for this long, so that its outage does not slow each request. */
  sharedRestMs: 5000,

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
  /** Batches, files, uploads and reports that are made, changed or deleted at once: each makes about ten calls of the store. */
  changesPerTenant: 6,
  changesMax: 48,
  changesWaitingMax: 2000,
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
