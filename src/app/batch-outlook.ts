import type { BatchObject } from '../contract/batch-object.js';
import type { ManifestObject, PlanHead, SubmitObject, WorkHead } from '../contract/stored-objects.js';
import { isTerminal, type BatchState } from '../domain/batch-state.js';
import { secondsFor, tokensAhead } from '../domain/completion-estimate.js';
import { costOf } from '../domain/prices.js';
import type { FleetState, ShardProgress } from '../ports/progress-board.js';
import { fleetSpeed, openWork } from './open-work.js';

export interface OutlookEvidence {
  readonly submit: SubmitObject;
  readonly plan: PlanHead | null;
  readonly manifest: ManifestObject | null;
  readonly status: BatchState;
  /** Decided shards; null where the counts are not known. */
  readonly decided: ReadonlyMap<number, ShardProgress | null>;
  /** Asked for when an estimate needs it. */
  readonly fleet: () => Promise<FleetState | null>;
  readonly nowMs: number;
}

type Outlook = Pick<BatchObject['eyrie'], 'priority' | 'deadline' | 'estimated_completion_at' | 'at_risk' | 'cost'>;

/**
 * Tokens used by the decided shards for each token planned: plans hold the most that lines may generate, answers are shorter. 1
 * before anything was decided.
 */
function useOfPlan(plan: WorkHead, decided: OutlookEvidence['decided']): number {
  let used = 0;
  let planned = 0;
  for (const [shard, progress] of decided) {
    if (!progress) continue;
    used += progress.inputTokens + progress.outputTokens;
    planned += plan.shardTokens[shard] ?? 0;
  }
  return used > 0 && planned > 0 ? Math.min(1, used / planned) : 1;
}

/** When the batch will have ended, Unix seconds; null when nothing honest can be said: nothing runs, or no speed was ever measured. */
async function estimate({ submit, plan, status, decided, fleet, nowMs }: OutlookEvidence): Promise<number | null> {
  if (status !== 'in_progress' || plan?.kind !== 'work') return null;
  const own = openWork(plan, decided);
  if (!own) return null;
  const state = await fleet();
  const speed = fleetSpeed(state);
  if (!state || !speed) return null;
  const others = [...state.work].filter(([batchId]) => batchId !== submit.batchId).map(([, work]) => work);
  const tokens = own.tokens * useOfPlan(plan, decided) + tokensAhead(own.last, others);
  return Math.ceil(nowMs / 1000 + secondsFor(tokens, speed));
}

function costOfBatch({ submit, plan, manifest }: OutlookEvidence): Outlook['cost'] {
  const { price } = submit;
  if (!price) return null;
  const planned = plan?.kind === 'work' && plan.promptTokens !== null && plan.outputTokensMost !== null;
  return {
    currency: price.currency,
    estimated: planned ? costOf(price, plan.promptTokens ?? 0, plan.outputTokensMost ?? 0) : null,
    final: manifest && costOf(price, manifest.inputTokens, manifest.outputTokens),
  };
}

/** What can be said of a batch's end and of its cost. */
export async function batchOutlook(evidence: OutlookEvidence): Promise<Outlook> {
  const { submit, status } = evidence;
  const estimatedAt = await estimate(evidence);
  const dueMs = submit.deadlineMs ?? submit.expiresMs;
  const atRisk = estimatedAt === null ? null : estimatedAt * 1000 > dueMs;
  return {
    priority: submit.priority,
    deadline: submit.deadlineMs === null ? null : Math.floor(submit.deadlineMs / 1000),
    estimated_completion_at: estimatedAt,
    at_risk: isTerminal(status) ? false : atRisk,
    cost: costOfBatch(evidence),
  };
}
