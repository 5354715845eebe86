/** Bounds of calls whose client waits for the answer. */
export const liveBounds = Object.freeze({
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
  /** Chunks kept for a client that does not read them; then its connection is cut. See `unreadPerTenantBytesMax` for all of them. */
  liveUnreadBytesMax: 8 * 1024 * 1024,
  /** Objects of a call older than this were left behind by a crash: every call is taken up or given up long before. */
  liveObjectMs: 600_000,
  /** Calls that one worker takes at once, as the scaler counts; also the default of the worker's setting. */
  liveCallsPerWorker: 32,
  /** When the API is asked to end, streams under way get this long. */
  liveShutdownMs: 10_000,
  /** A stream without news is shown to be alive this often, so that no proxy cuts it. */
  liveCommentMs: 15_000,
});
