/** Bounds of inboxes. */
export const inboxesBounds = Object.freeze({
  // Inboxes. A poll of one takes about four pages and four seconds of a slow store (20 ms a call), however much is there.
  inboxesAtOnce: 8,
  /** Pages listed of an inbox in a poll; a larger inbox is walked in windows of so many, each looked at twice. */
  inboxPagesPerPoll: 4,
  /** Drops of an inbox that are taken, or asked of the store whether they were, in a poll. */
  inboxTakesPerPoll: 500,
  inboxTakesAtOnce: 16,
  /** A drop or a folder that cannot be read is rejected when so many looks have met it. */
  inboxTriesMax: 5,
  /** Of these, remembered for each inbox: each is logged once. */
  inboxTroublesMax: 1000,
  /** A poll waits so long for an inbox; a slower one is looked at beside the polls from then on. */
  inboxWaitMs: 5000,
  /** Slow inboxes looked at at once. */
  inboxesSlowAtOnce: 4,
  /** Drops that a process remembers as taken, some 70 bytes each, an equal share for each inbox; others are asked of the store again. */
  inboxRemembered: 256 * 1024,
  /** Of each inbox at least as many as a window holds: a small one is then remembered whole, however many inboxes there are. */
  inboxRememberedMin: 4000,
});
