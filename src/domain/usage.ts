/**
 * How much of something lies in a place that is dear to count (the object store), kept up between counts: what the last count found,
 * and what has come in since that count began.
 *
 * Each count has an epoch. A change tells what is coming in *now* and what of the same thing came `before`, with the epoch that
 * heard of it last: a count cannot see what is still on its way, so whoever is still bringing it tells a new epoch all of it.
 * While a count is under way, changes go to the epoch that is in force and to the one that is being counted.
 *
 *     change   → in force: counted + added         next: nothing, or an epoch that somebody counts
 *     a count is due → `next` begins; its caller counts and hands in what it found → it is in force
 *     a counter that does not come back → another `next` begins, and the lost one's count is not taken any more
 */
export interface UsageState {
  readonly epoch: number;
  readonly beganMs: number;
  /** null: nothing was ever counted, or it was forgotten. */
  readonly counted: number | null;
  readonly added: number;
  readonly next: { readonly epoch: number; readonly beganMs: number; readonly added: number } | null;
}

export interface UsageChange {
  /** Comes in now; below 0 it is given back; 0 only asks. */
  readonly amount: number;
  /** Came in earlier of the same thing, by the epoch that heard of it last. */
  readonly before: number;
  /** From the answer to the earlier change; 0 when there was none. */
  readonly epoch: number;
}

export interface Usage {
  /** What lay there when the last count began; null: nobody has counted yet. */
  readonly counted: number | null;
  /** What has come in since. */
  readonly added: number;
  /** For the next change of the same thing. */
  readonly epoch: number;
  /** Not null: a count is due, and the asker is to make it and hand it in under this epoch. */
  readonly countAs: number | null;
}

/** Epochs go up, also when all was forgotten in between: they follow the clock, unless that was set back. */
const begin = (nowMs: number, last: number) => ({ epoch: Math.max(nowMs, last + 1), beganMs: nowMs, added: 0 });

/** A count is made when there is none or it is older than `recountMs`; one that is under way is waited for as long. */
export function changeUsage(
  known: UsageState | null,
  change: UsageChange,
  nowMs: number,
  recountMs: number,
): { readonly state: UsageState; readonly usage: Usage } {
  let state: UsageState = known ?? { epoch: 0, beganMs: nowMs, counted: null, added: 0, next: null };
  const isOld = (beganMs: number): boolean => Math.abs(nowMs - beganMs) >= recountMs;
  let countAs: number | null = null;
  if ((state.counted === null || isOld(state.beganMs)) && (!state.next || isOld(state.next.beganMs))) {
    state = { ...state, next: begin(nowMs, state.next?.epoch ?? state.epoch) };
    countAs = state.next?.epoch ?? null;
  }
  // Without any count nobody can be answered, so everybody counts and the first one is taken.
  if (state.counted === null) countAs = state.next?.epoch ?? null;
  const heard = (epoch: number): number => (change.epoch >= epoch ? change.amount : change.before + change.amount);
  state = {
    ...state,
    added: state.added + heard(state.epoch),
    next: state.next && { ...state.next, added: state.next.added + heard(state.next.epoch) },
  };
  return { state, usage: usageOf(state, countAs) };
}

/** Puts a finished count in force. One of an epoch that is not awaited any more changes nothing. */
export function settleUsage(state: UsageState, epoch: number, counted: number): UsageState {
  return state.next?.epoch === epoch ? { ...state.next, counted, next: null } : state;
}

export const usageOf = (state: UsageState, countAs: number | null = null): Usage => ({
  counted: state.counted,
  added: Math.max(0, state.added),
  epoch: state.next?.epoch ?? state.epoch,
  countAs,
});
