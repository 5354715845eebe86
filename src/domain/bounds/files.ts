/** Bounds of files, uploads, lists and reports. */
export const filesBounds = Object.freeze({
  // Files and windows, seconds.
  expiresAfterSecondsMin: 3600,
  expiresAfterSecondsMax: 2_592_000,
  batchFileExpirySeconds: 30 * 24 * 3600,
  completionWindowSecondsMax: 30 * 24 * 3600,
  /** Last second of the year 9999: later times are refused. */
  unixSecondsMax: 253_402_300_799,

  // Pages of lists.
  batchesPageDefault: 20,
  batchesPageMax: 100,
  filesPageMax: 10_000,
  /** Files in one answer, whatever `limit` says: `has_more` makes clients ask on. Each costs two reads of the store. */
  filesPerAnswerMax: 1000,
  /**
   * Entries of an index that one answer reads, and that it passes over in all, to find what belongs on the page (`purpose`, what has
   * expired): beyond it the page is short, and `last_id` says where the next one goes on. The first is above any page's `limit`.
   */
  listReadsMax: 2000,
  listPassedMax: 20_000,
  /** A page of a list ends before the entry that would pass this size: a batch with a hundred errors and metadata has up to 75 KB. */
  listPageBytes: 4 * 1024 * 1024,
  resultsPageDefault: 100,
  resultsPageMax: 1000,
  /** A page of results ends before the line that would pass this size; a larger line is a page of its own. */
  resultsPageBytes: 4 * 1024 * 1024,

  // Uploads in parts. The part size is the one of the official clients, in MiB.
  uploadPartBytesMax: 64 * 1024 * 1024,
  uploadPartsMax: 10_000,
  uploadSeconds: 3600,
  /** Uploads of a tenant that have not ended: each keeps records and parts for an hour. Far more than a client sends at once. */
  uploadsOpenMax: 256,
  /**
   * A process lists the parts of an upload again, for what others have taken, this long after the last time at the earliest, and no more
   * entries than so many for each part that it took: a part costs far less than a listing, however many there are.
   */
  uploadLookMs: 10_000,
  uploadPartsListedEach: 100,
  mimeTypeCharsMax: 255,

  // Reports of bad answers, per tenant.
  reportCommentCharsMax: 2000,
  /** Kept at once; those that were dealt with are deleted. */
  reportsMax: 1000,
  reportsPageDefault: 20,
  reportsPageMax: 100,
});
