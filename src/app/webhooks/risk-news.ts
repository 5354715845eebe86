import { z } from 'zod';
import type { SubmitObject, WorkHead } from '../../contract/stored-objects.js';
import { errorCode } from '../../domain/errors.js';
import { derivedId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { FleetState, ShardProgress } from '../../ports/progress-board.js';
import { batchOutlook } from '../batch-outlook.js';
import { getJson, putJson } from '../stored-json.js';
import type { World } from '../world.js';
import { OptedIn } from './opted-in.js';
import { publishEvent, queueFirstAttempts } from './publish-event.js';

/** What was last told: whether the batch is at risk, and how often it has come to be. */
const lastRisk = z.object({ v: z.literal(1), atRisk: z.boolean(), crossings: z.number().int() });
type LastRisk = z.output<typeof lastRisk>;

/** An estimate has to be this share of the time that is left ahead of the deadline, before the risk counts as over. */
const overShare = 0.1;

/**
 * Tells endpoints that ask for it when a running batch is expected to end too late: once each time that it comes to be so. An
 * estimate that swings about the deadline is told once. The event's id follows from the batch and the count, so that of several
 * janitors only one tells it.
 */
export class RiskNews {
  readonly #world: World;
  readonly #optedIn: OptedIn;

  constructor(world: World) {
    this.#world = world;
    this.#optedIn = new OptedIn(world, 'batch.at_risk');
  }

  /** `fleet` is asked once for all batches of a sweep. Returns whether anybody asks for this batch's news. */
  async tell(
    submit: SubmitObject,
    plan: WorkHead,
    decided: ReadonlyMap<number, number>,
    fleet: () => Promise<FleetState | null>,
  ): Promise<boolean> {
    const { tenant, batchId } = submit;
    const receivers = await this.#optedIn.of(tenant);
    if (receivers.length === 0) return false;
    const { store, clock } = this.#world;
    const { estimated_completion_at, deadline, at_risk } = await batchOutlook({
      submit,
      plan,
      manifest: null,
      status: 'in_progress',
      decided: await this.#counts(batchId, decided),
      fleet,
      nowMs: clock.now(),
    });
    if (estimated_completion_at === null || at_risk === null) return true;
    const key = keys.riskNews(tenant, batchId);
    const last: LastRisk = (await getJson(store, key, lastRisk)) ?? { v: 1, atRisk: false, crossings: 0 };
    const now = clock.now();
    if (last.atRisk) {
      const dueMs = submit.deadlineMs ?? submit.expiresMs;
      const isOver = estimated_completion_at * 1000 < dueMs - overShare * (dueMs - now);
      if (isOver) await putJson(store, key, { ...last, atRisk: false });
      return true;
    }
    if (!at_risk) return true;
    const crossings = last.crossings + 1;
    const published = await publishEvent(this.#world, {
      tenant,
      event: {
        id: derivedId('event', this.#world.idSecret, batchId, 'at_risk', String(crossings)),
        object: 'event',
        type: 'batch.at_risk',
        created_at: Math.floor(now / 1000),
        data: {
          id: batchId,
          estimated_completion_at,
          deadline,
          expires_at: Math.floor(submit.expiresMs / 1000),
        },
      },
      createdMs: now,
      batchId,
      receivers,
      retry: 'schedule',
    });
    await putJson(store, key, { v: 1, atRisk: true, crossings } satisfies LastRisk);
    if (published) await queueFirstAttempts(this.#world, published);
    return true;
  }

  /** The board's word will do: an estimate is not worth a read of every part. */
  async #counts(batchId: string, decided: ReadonlyMap<number, number>): Promise<Map<number, ShardProgress | null>> {
    const { progress, log } = this.#world;
    const known = await progress.read(batchId).catch((error: unknown) => {
      log.warn('progress.unavailable', { batchId, code: errorCode(error) });
      return new Map<number, ShardProgress>();
    });
    return new Map([...decided.keys()].map((shard) => [shard, known.get(shard) ?? null]));
  }
}
