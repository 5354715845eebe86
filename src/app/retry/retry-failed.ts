import { createHash } from 'node:crypto';
import type { BatchObject } from '../../contract/batch-object.js';
import type { RetryRequest } from '../../contract/retry-request.js';
import { submitObject, type SubmitObject, type WorkPlan } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { derivedId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { mayRunAgain } from '../../domain/retriable-line.js';
import { refuseDeleted } from '../accept-batch.js';
import { isDeleted, loadShownSubmit, putInLists } from '../batch-records.js';
import { commitSubmit } from '../commit-submit.js';
import { toInputRef } from '../input-content.js';
import { takeOpenBatch } from '../quotas/take-open-batch.js';
import { resultsGone } from '../read-results.js';
import { hasResults } from '../retention/result-file.js';
import { getJson } from '../stored-json.js';
import { viewBatch } from '../view-batch.js';
import type { World } from '../world.js';
import { loadChildren } from './lineage.js';
import { stillFailed, underWay, type FailedLines } from './still-failed.js';
import { storeRetryInput } from './store-retry-input.js';
import { takeRetryPlace, tooManyRetries } from './take-place.js';

export interface RetryFailed {
  readonly tenant: string;
  readonly batchId: string;
  readonly request: RetryRequest;
  /** From the `Idempotency-Key` header. */
  readonly idempotencyKey: string | null;
  /** From `x-stainless-retry-count`: above 0 the client repeats a call whose answer it did not see. */
  readonly retryCount: number;
}

const retryWindowMs = 15 * 60 * 1000;

/** The work of an ended batch. Throws `batch_not_ended`, `not_found` when its results are gone, `nothing_to_retry`. */
async function loadEnded(world: World, { tenant, batchId }: SubmitObject): Promise<WorkPlan> {
  const manifest = await world.records.manifest(tenant, batchId);
  if (!manifest)
    throw new EyrieError(
      'batch_not_ended',
      `The batch '${batchId}' has not ended. Failed lines can be run again when it has; wait, or cancel it.`,
    );
  if (!(await hasResults(world, tenant, manifest))) throw resultsGone(batchId);
  const plan = await world.records.plan(tenant, batchId);
  if (plan?.kind === 'work') return plan;
  throw new EyrieError(
    'nothing_to_retry',
    `The batch '${batchId}' ended before it had lines to run. Submit its file as a new batch.`,
  );
}

/**
 * The first number under which no child was made, and the child before it. A deleted child keeps its number. Two calls at once
 * find the same one, so one child is made.
 */
async function nextChild(world: World, parent: SubmitObject): Promise<{ id: string; last: SubmitObject | null }> {
  const { store } = world;
  const { tenant, batchId } = parent;
  let last: SubmitObject | null = null;
  for (let n = 0; n < bounds.retriesPerBatchMax; n++) {
    const id = derivedId('batch', world.idSecret, tenant, 'retry', batchId, String(n));
    const [submit, deleted] = await Promise.all([
      getJson(store, keys.submit(tenant, id), submitObject),
      isDeleted(store, tenant, id),
    ]);
    if (!submit && !deleted) return { id, last };
    last = deleted ? null : submit;
  }
  throw tooManyRetries(batchId);
}

const isAsked = (include: RetryRequest['include'], code: string): boolean => {
  if (Array.isArray(include)) return (include as readonly string[]).includes(code);
  return include === 'all' || mayRunAgain(code);
};

function choose(failed: FailedLines, include: RetryRequest['include']): ReadonlySet<number> {
  const chosen = new Set<number>();
  for (const [line, code] of failed) if (code !== underWay && isAsked(include, code)) chosen.add(line);
  return chosen;
}

/** No line is left to choose: a child works on them, or there are none. */
async function withoutLines(world: World, parent: SubmitObject, failed: FailedLines): Promise<BatchObject> {
  const { tenant, batchId } = parent;
  if ([...failed.values()].includes(underWay)) {
    for (const child of (await loadChildren(world.store, tenant, batchId)).toReversed())
      if (!(await world.records.manifest(tenant, child.batchId))) return viewBatch(world, tenant, child.batchId);
  }
  throw new EyrieError(
    'nothing_to_retry',
    failed.size === 0
      ? `No line of batch '${batchId}' is without a good result.`
      : `None of the ${failed.size} failed lines of batch '${batchId}' is among those asked for: they were refused for what they say, or failed with other codes. See its error file; "include": "all" runs them again all the same.`,
    { param: 'include' },
  );
}

function checkSameRequest(stored: SubmitObject, requestHash: string): void {
  if (stored.requestHash !== requestHash)
    throw new EyrieError(
      'idempotency_key_reused',
      'This Idempotency-Key was used before with another request. Use a new key.',
      { param: 'Idempotency-Key' },
    );
}

/** The batch that this call made before, when it is a repeat. */
async function earlierChild(
  world: World,
  { tenant, retryCount }: RetryFailed,
  keyed: string | null,
  last: SubmitObject | null,
  requestHash: string,
): Promise<SubmitObject | null> {
  if (keyed !== null) {
    await refuseDeleted(world, tenant, keyed);
    const earlier = await getJson(world.store, keys.submit(tenant, keyed), submitObject);
    if (earlier) checkSameRequest(earlier, requestHash);
    return earlier;
  }
  const isRepeat = retryCount > 0 && last !== null && world.clock.now() - last.createdMs < retryWindowMs;
  return isRepeat && last.requestHash === requestHash ? last : null;
}

/**
 * Runs the failed lines of an ended batch again, as a batch of its own whose results merge with the first one's: the same bytes of
 * the same lines, so the same seeds. Lines that succeeded in an earlier child are left out. While a child works on all that is
 * asked for, that child is the answer. Throws `batch_not_ended`, `nothing_to_retry`, `too_many_retries`, `not_found`,
 * `input_changed`.
 */
export async function retryFailed(world: World, input: RetryFailed): Promise<BatchObject> {
  const { tenant, batchId, request, idempotencyKey } = input;
  const parent = await loadShownSubmit(world, tenant, batchId);
  const requestHash = createHash('sha256')
    .update(JSON.stringify(['retry', batchId, request.include ?? null]))
    .digest('hex');
  // The number is taken before the lines are looked at: whoever makes a child in between has it, and is met at the commit.
  const next = await nextChild(world, parent);
  // Its maker may have been stopped before it was listed: then nobody would see that it works on these lines.
  if (next.last && !(await world.records.manifest(tenant, next.last.batchId))) await putInLists(world.store, next.last);
  const keyed = idempotencyKey === null ? null : derivedId('batch', world.idSecret, tenant, 'key', idempotencyKey);
  const earlier = await earlierChild(world, input, keyed, next.last, requestHash);
  if (earlier) return viewBatch(world, tenant, earlier.batchId);

  const depth = (parent.retryOf?.depth ?? 0) + 1;
  const rootId = parent.retryOf?.rootId ?? parent.retryOf?.batchId ?? batchId;
  if (depth > bounds.retryDepthMax)
    throw new EyrieError(
      'too_many_retries',
      `The batch '${batchId}' is a retry of a retry, ${depth - 1} deep. Retry one of the earlier batches, or submit the lines as a new one.`,
    );
  const childId = keyed ?? next.id;
  return takeOpenBatch(world, tenant, childId, async () => {
    const plan = await loadEnded(world, parent);
    const failed: FailedLines = (await stillFailed(world, parent)) ?? new Map();
    const chosen = choose(failed, request.include);
    if (chosen.size === 0) return withoutLines(world, parent, failed);
    await takeRetryPlace(world.store, tenant, rootId, childId);
    const file = await storeRetryInput(world, parent, plan, childId, chosen);
    if (!file) return withoutLines(world, parent, failed);
    const createdMs = world.clock.now();
    const stored = await commitSubmit(world, {
      ...parent,
      batchId: childId,
      source: 'api',
      createdMs,
      expiresMs: createdMs + (parent.expiresMs - parent.createdMs),
      input: toInputRef(file),
      inputFileId: file.id,
      endpoint: plan.endpoint,
      requestHash,
      deadlineMs: null,
      retryOf: { batchId, depth, rootId },
    });
    if (keyed !== null) checkSameRequest(stored, requestHash);
    return viewBatch(world, tenant, stored.batchId);
  });
}
