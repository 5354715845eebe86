/**
 * The states of a batch: OpenAI's eight, and no others.
 *
 *     validating ──▶ in_progress ──▶ finalizing ──▶ completed
 *         │  │            │  │            │
 *         │  └──────┬─────┘  └──────┬─────┘
 *         │         ▼               ▼
 *         │     cancelling ──▶ cancelled (or completed, when every shard was decided before the cancel)
 *         ▼
 *       failed      expired: from validating or in_progress when the completion window ends
 *
 * A state is never stored: it is derived from which objects exist (`deriveState`), so no crash can leave a wrong one behind.
 */
export const batchStates = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const;

export type BatchState = (typeof batchStates)[number];
export type TerminalState = Extract<BatchState, 'completed' | 'failed' | 'expired' | 'cancelled'>;

const next: Readonly<Record<BatchState, readonly BatchState[]>> = {
  validating: ['in_progress', 'failed', 'cancelling', 'expired', 'finalizing'],
  in_progress: ['finalizing', 'cancelling', 'expired', 'failed'],
  finalizing: ['completed', 'failed', 'cancelled', 'expired'],
  cancelling: ['cancelled', 'completed', 'failed'],
  completed: [],
  failed: [],
  expired: [],
  cancelled: [],
};

export const isTerminal = (state: BatchState): state is TerminalState => next[state].length === 0;

/** Whether `to` may be seen after `from`, at once or through states in between. */
export function mayFollow(from: BatchState, to: BatchState): boolean {
  return from === to || next[from].some((step) => mayFollow(step, to));
}

/** Why a plan holds no work, or why a shard was given up. */
export type Verdict = Exclude<TerminalState, 'completed'>;

export interface BatchEvidence {
  /** plan.json: absent, a plan with work, or a verdict instead of work. */
  readonly plan: 'absent' | 'work' | Verdict;
  readonly cancelRequested: boolean;
  readonly allShardsDecided: boolean;
  /** State named by manifest.json; null when there is none. */
  readonly manifest: TerminalState | null;
}

/** The state a batch is in, from the objects found (submit.json is taken as present). */
export function deriveState(evidence: BatchEvidence): BatchState {
  if (evidence.manifest) return evidence.manifest;
  const decided = evidence.plan !== 'absent' && (evidence.plan !== 'work' || evidence.allShardsDecided);
  if (evidence.cancelRequested) return 'cancelling';
  if (decided) return 'finalizing';
  return evidence.plan === 'absent' ? 'validating' : 'in_progress';
}

/**
 * The end state, a pure function of the plan and the decided shards, so that two finishers agree: the plan's verdict, else the
 * first of failed, cancelled, expired that any shard was given up for, else completed (lines may have failed).
 */
export function terminalState(plan: 'work' | Verdict, shardVerdicts: ReadonlySet<Verdict>): TerminalState {
  if (plan !== 'work') return plan;
  for (const verdict of ['failed', 'cancelled', 'expired'] as const) if (shardVerdicts.has(verdict)) return verdict;
  return 'completed';
}
