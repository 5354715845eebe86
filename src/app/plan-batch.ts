import type { BatchError } from '../contract/batch-object.js';
import type { BatchJob } from '../contract/queue-payload.js';
import type { PlanObject, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import type { Verdict } from '../domain/batch-state.js';
import { errorCode } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import { orderNow, queueOrder, type QueueOrder } from '../domain/shard-priority.js';
import { cancelRequestedMs, loadSubmit } from './batch-records.js';
import { CountedGrammars, TooManyGrammars } from './grammars/counted-grammars.js';
import { inputChanged, openInput } from './input-content.js';
import { finishJob, shardJobOf } from './jobs.js';
import { noteOpenWork } from './open-work.js';
import { queueTokens, TokensQueued } from './quotas/queued-tokens.js';
import { queueClock } from './queue-clock.js';
import { isClosedInput } from './retention/close-input.js';
import { encodePlan, findPlan, headOf } from './stored-plan.js';
import type { LineRules } from './line/line-request.js';
import { InvalidInput, validateInput } from './validate-input.js';
import type { World } from './world.js';

export type Planner = World & LineRules;

export const noSuchInput = (fileId: string): BatchError => ({
  code: 'invalid_request',
  message: `Cannot find file '${fileId.slice(0, 128)}', or its purpose is not "batch".`,
  param: 'file_id',
  line: null,
});

const removedInput = (fileId: string): BatchError => ({
  code: 'invalid_request',
  message: `The file '${fileId.slice(0, 128)}' was deleted or has expired before the batch was checked. Upload it again and create another batch.`,
  param: 'file_id',
  line: null,
});

/** Where the batch stands among those that wait. `batchId` is absent for one that is only thought of. */
export async function placeInQueue(
  world: World,
  terms: Pick<SubmitObject, 'tenant' | 'priority' | 'deadlineMs' | 'expiresMs'> & { readonly batchId?: string },
  nowMs: number,
): Promise<QueueOrder> {
  const dueMs = terms.deadlineMs ?? terms.expiresMs;
  const [tenantBatches, clock] = await Promise.all([
    world.openBatches.rank(terms.tenant, terms.batchId),
    queueClock(world),
  ]);
  return queueOrder({ priority: terms.priority, secondsLeft: (dueMs - nowMs) / 1000, tenantBatches, clock });
}

const unreadableInput: BatchError = {
  code: 'input_unreadable',
  message:
    'The service may not read the dropped file. Give the user that it runs as read rights on the file and on its folders, and put it there again.',
  param: 'file_id',
  line: null,
};

const verdict = (plannedMs: number, state: Verdict, errors: readonly BatchError[]): PlanObject => ({
  v: 1,
  kind: 'verdict',
  plannedMs,
  verdict: state,
  errors: [...errors],
});

async function makePlan(world: Planner, submit: SubmitObject): Promise<PlanObject> {
  const plannedMs = world.clock.now();
  const ends = (state: Verdict, errors: readonly BatchError[] = []) => verdict(plannedMs, state, errors);
  if ((await cancelRequestedMs(world.store, submit.tenant, submit.batchId)) !== null) return ends('cancelled');
  if (plannedMs >= submit.expiresMs) return ends('expired');
  if (submit.input === null) return ends('failed', [noSuchInput(submit.inputFileId)]);
  if (await isClosedInput(world.store, submit.tenant, submit.inputFileId))
    return ends('failed', [removedInput(submit.inputFileId)]);
  const noRoom = await world.resultsQuota.usedUp(submit.tenant);
  if (noRoom) return ends('failed', [{ ...noRoom, param: null, line: null }]);
  try {
    const input = await openInput(world.store, submit.input);
    if (!input) return ends('failed', [noSuchInput(submit.inputFileId)]);
    const valid = await validateInput(input, {
      endpoint: submit.endpoint,
      mode: submit.validation,
      model: world.model,
      tokenizer: world.tokenizer,
      grammars: new CountedGrammars(world.grammars),
      tenant: submit.tenant,
      clock: world.clock,
    });
    return {
      v: 1,
      kind: 'work',
      plannedMs,
      ...valid,
      model: world.model.id,
      shards: valid.shards.map((shard) => ({ ...shard, rejected: [] })),
      order: await placeInQueue(world, submit, plannedMs),
    };
  } catch (error) {
    if (error instanceof InvalidInput) {
      if (error.bound !== null) world.refusals.note(submit.tenant, error.bound);
      return ends('failed', error.errors);
    }
    if (errorCode(error) === 'input_unreadable') return ends('failed', [unreadableInput]);
    if (error instanceof TooManyGrammars) {
      world.refusals.note(submit.tenant, 'grammarsPerBatchMax');
      return ends('failed', [error.asBatchError()]);
    }
    if (errorCode(error) !== 'input_changed') throw error;
    return ends('failed', [{ code: 'input_changed', message: inputChanged().message, param: 'file_id', line: null }]);
  }
}

/** Writes plan.json. Work for which its tenant's quota of tokens has no room becomes a verdict. */
async function fixPlan(
  world: Planner,
  { tenant, batchId }: SubmitObject,
  made: PlanObject,
): Promise<{ made: PlanObject; created: boolean }> {
  const write = async (plan: PlanObject) => ({
    made: plan,
    created: (await world.store.create(keys.plan(tenant, batchId), await encodePlan(world.clock, plan))).created,
  });
  if (made.kind !== 'work') return write(made);
  try {
    return await queueTokens(world, tenant, batchId, made.tokens, () => write(made));
  } catch (error) {
    if (!(error instanceof TokensQueued)) throw error;
    world.refusals.note(tenant, 'queuedTokensDefault');
    return write(verdict(made.plannedMs, 'failed', [error.error]));
  }
}

/** Queues the shards that are not decided, or `only` some of them, in line order, so that the readable results grow from the front. */
export async function queueShards(
  world: World,
  batch: BatchJob,
  plan: WorkPlan,
  decided: ReadonlyMap<number, unknown>,
  only?: ReadonlySet<number>,
): Promise<void> {
  const clock = await queueClock(world);
  const open = plan.shards.filter(({ n }) => !decided.has(n));
  const jobs = open.map((shard, rank) => shardJobOf(batch, orderNow(plan.order, shard.n, rank, clock), shard));
  await world.queue.add(
    'shard',
    jobs.filter((_, rank) => only?.has(open[rank]?.n ?? -1) ?? true),
  );
  await noteOpenWork(world, batch, headOf(plan), decided);
}

/**
 * Validates a batch's input, fixes its work in plan.json and queues its shards. Doing it again gives the same plan: the first one
 * written counts.
 */
export async function planBatch(world: Planner, batch: BatchJob): Promise<void> {
  const { tenant, batchId } = batch;
  const submit = await loadSubmit(world.store, tenant, batchId);
  let plan = await findPlan(world, tenant, batchId);
  if (!plan) {
    const { made, created } = await fixPlan(world, submit, await makePlan(world, submit));
    plan = created ? made : await findPlan(world, tenant, batchId);
    if (created)
      world.log.info('batch.planned', {
        tenant,
        batchId,
        kind: made.kind,
        ...(made.kind === 'work'
          ? { lines: made.lines, shards: made.shards.length, tokens: made.tokens }
          : { verdict: made.verdict, errors: made.errors.length }),
      });
  }
  if (plan?.kind === 'work') await queueShards(world, batch, plan, new Map());
  else await world.queue.add('finish', [finishJob(batch, world)]);
}
