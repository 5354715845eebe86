/** Bounds of connections, API keys and requests as such. */
export const httpBounds = Object.freeze({
  formFieldsMax: 16,
  formFieldBytesMax: 64 * 1024,
  apiKeyCharsMax: 512,
  keyNameCharsMax: 100,
  /** 256 bits: they cannot be guessed, so the stored hash needs no salt and no slowness. */
  keySecretBytes: 32,
  keySecondsMin: 60,
  keySecondsMax: 10 * 365 * 24 * 3600,
  keysPageMax: 100,
  /** Keys that a tenant makes itself, ended ones too until they are removed: far above a key for each of its programs. */
  keysPerTenant: 1000,
  /** A key that was revoked or has expired is listed for so long. */
  keyEndedKeptMs: 7 * 24 * 3600 * 1000,
  /** What was found of a key is believed for this long: a revoked key works no longer than that. */
  keyFreshMs: 30_000,
  /** Looks that are kept of keys, and as many of ids that are none. */
  keysCachedMax: 10_000,
  /** A key's last use is noted this often at most. */
  keyUseNotedMs: 3_600_000,
  /** Per tenant: far above what polling needs, below what a client in a loop does. */
  requestsPerMinute: 6000,

  headerBytesMax: 16 * 1024,
  /** Above the idle time of common proxies (60 s), so that they never reuse a connection that is being closed. */
  keepAliveMs: 75_000,
  /** A whole request, upload included. Slow senders are cut far earlier, by their rate. */
  requestMs: 3_600_000,
  /** Requests of one connection that are carried out at once: clients that send ahead get their answers one after the other anyway. */
  pipelinedAtOnce: 2,
  /** Requests, and pieces of downloads, that are begun in one turn of the event loop: one takes up to 2 ms of this and later turns. */
  stepsPerTurn: 4,
  /** While connections come in, which are taken one a turn, a step is begun in each of so many milliseconds instead. */
  stepWhileConnectingMs: 4,
  /** Requests sent ahead on one connection that wait for earlier ones: some 2 KB each, and their headers. Beyond it the connection is closed. */
  pipelinedWaitingMax: 2500,
  /** Bytes of their headers, as they are held: a thousand requests of an official client, or 60 with the longest headers. */
  pipelinedWaitingBytesMax: 1024 * 1024,
  /** The same on all connections of a process. Beyond it, the connection with most of the caller with most is closed. */
  pipelinedWaitingInAllMax: 20_000,
  pipelinedWaitingInAllBytesMax: 32 * 1024 * 1024,
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
  /** Beside its content, so much frame at most: the sizes of chunks and what is written after them. */
  bodyFrameBytesFree: 128 * 1024,
  /**
   * So much of an answer must be taken in each window in which some of it waits for the client. The system's buffer of a fast
   * connection (4 MB) shows what was taken in steps of up to 1.5 MB: with such a buffer, whoever takes 20 kB a second shows
   * a step in each window.
   */
  readerBytesPerSecondMin: 1024,
  readerGraceMs: 90_000,
  /**
   * Answers and events that wait in a process for the clients of one tenant to read them; beyond it, the answer with most is cut.
   * Four pages of results of one line of 16 MiB each may wait, and half as much of everything else.
   */
  unreadPerTenantBytesMax: 96 * 1024 * 1024,
  /** The same of all tenants: three of them have all that is theirs. Beyond it the tenant with most loses its answer with most. */
  unreadBytesMax: 288 * 1024 * 1024,
  /** A client has this long to see an answer after which the connection is closed. */
  lingerMs: 2000,
  /** Connections at once where the limit of open files allows for as many: see `connectionsShare`. */
  connectionsMax: 10_000,
  /**
   * New connections that wait until the process takes them (the system allows `net.core.somaxconn` at most, 4096 by default). One too
   * many is tried again by its client a second later.
   */
  connectionsWaitingMax: 4096,
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
});
