import type { BatchJob } from '../../contract/queue-payload.js';
import type { PlanObject } from '../../contract/stored-objects.js';
import { keys } from '../../domain/object-keys.js';
import { loadSubmit } from '../batch-records.js';
import { finishJob } from '../jobs.js';
import { planBatch, type Planner } from '../plan-batch.js';
import { createJson } from '../stored-json.js';
import { boundedStep, type StepFailures } from './bounded-step.js';

/** The plan of a batch that cannot be planned: it fails, and says why and what to do. */
async function giveUpPlan(world: Planner, batch: BatchJob, { last }: StepFailures): Promise<void> {
  const { tenant, batchId } = batch;
  const verdict: PlanObject = {
    v: 1,
    kind: 'verdict',
    plannedMs: world.clock.now(),
    verdict: 'failed',
    errors: [
      {
        code: last,
        message: `The input could not be validated: every attempt failed, the last one with '${last}'. Nothing was generated. Submit the batch again; if that fails too, give the operator its id: the log of the control program names the cause.`,
        param: 'input_file_id',
        line: null,
      },
    ],
  };
  const { created } = await createJson(world.store, keys.plan(tenant, batchId), verdict);
  if (created) world.log.error('batch.step_given_up', { tenant, batchId, step: 'plan', code: last });
  await world.queue.add('finish', [finishJob(batch, world)]);
}

/** Plans a batch; one that cannot be planned ends as failed. */
export async function planWithinBounds(world: Planner, batch: BatchJob, stalls: number): Promise<void> {
  await boundedStep(world, batch, stalls, 'plan', {
    attempt: () => planBatch(world, batch),
    // A plan that was made late says `expired` by itself.
    isLate: async () => world.clock.now() > (await loadSubmit(world.store, batch.tenant, batch.batchId)).expiresMs,
    giveUp: (failures) => giveUpPlan(world, batch, failures),
  });
}
