import type { BatchJob } from '../contract/queue-payload.js';
import type { PlanObject, SubmitObject } from '../contract/stored-objects.js';
import { submitObject } from '../contract/stored-objects.js';
import { errorCode } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import { isTenant, keys } from '../domain/object-keys.js';
import type { ObjectInfo } from '../ports/object-store.js';
import { cancelRequestedMs, decidedShards, findManifest, findPlan, putInLists } from './batch-records.js';
import { closeBatch } from './close-batch.js';
import { giveUpShard } from './give-up-shard.js';
import { finishJob, planJob } from './jobs.js';
import { noteOpenWork } from './open-work.js';
import { queueShards } from './plan-batch.js';
import { getJson } from './stored-json.js';
import { ProgressNews } from './webhooks/progress-news.js';
import { RiskNews } from './webhooks/risk-news.js';
import { DeliveryKeeper } from './webhooks/restore-deliveries.js';
import type { World } from './world.js';

/** A marker without a batch behind it is left for this long: its accept may still be under way. */
const orphanMarkerMs = 3600 * 1000;
/** Workers get this long to keep what they have finished before a cancelled or expired shard is given up under them. */
const giveUpGraceMs = 8000;
/** Jobs of a batch that shows nothing new are put back this often; adding one that is there changes nothing. */
const requeueMs = 30_000;

interface Marker extends BatchJob {
  readonly info: ObjectInfo;
}

function toMarker(info: ObjectInfo, prefix: string): Marker | null {
  const [tenant, batchId, more] = info.key.slice(prefix.length).split('/');
  if (tenant === undefined || batchId === undefined || more !== undefined) return null;
  return isTenant(tenant) && isId('batch', batchId) ? { tenant, batchId, info } : null;
}

/**
 * The janitor. What a crash left undone stands in the object store; each sweep finds it and puts it back into the queue, or does
 * it when it is small. It only adds work with fixed ids, so several may run.
 *
 *     state found                                         action
 *     marker, no submit.json                              after an hour: remove the marker
 *     submit.json, no plan.json                           queue the plan
 *     plan is a verdict, or every shard is decided        queue the finish
 *     shards undecided, cancelled or expired              after a grace: give the shards up
 *     shards undecided                                    queue them
 *     manifest.json                                       close the batch
 *
 * What is still to be told is the `DeliveryKeeper`'s.
 */
export class Janitor {
  readonly #world: World;
  /** When each open batch's jobs were last queued from here. */
  readonly #queuedMs = new Map<string, number>();
  readonly #deliveries: DeliveryKeeper;
  readonly #progressNews: ProgressNews;
  readonly #riskNews: RiskNews;

  constructor(world: World) {
    this.#world = world;
    this.#deliveries = new DeliveryKeeper(world);
    this.#progressNews = new ProgressNews(world);
    this.#riskNews = new RiskNews(world);
  }

  /** One sweep over everything open. A batch that fails is logged and does not keep the others from their turn. */
  async sweep(): Promise<void> {
    const open = new Set<string>();
    await this.#each(keys.openBatches, async (marker) => {
      open.add(marker.batchId);
      await this.#restoreBatch(marker);
    });
    for (const batchId of this.#queuedMs.keys()) if (!open.has(batchId)) this.#queuedMs.delete(batchId);
    await this.#deliveries.sweep();
  }

  async #each(prefix: string, act: (marker: Marker) => Promise<void>): Promise<void> {
    let after: string | null = null;
    do {
      const page = await this.#world.store.list(prefix, after === null ? {} : { after });
      for (const info of page.objects) {
        const marker = toMarker(info, prefix);
        if (!marker) continue;
        try {
          await act(marker);
        } catch (error) {
          this.#world.log.warn('janitor.batch_failed', { batchId: marker.batchId, code: errorCode(error) });
        }
      }
      after = page.next;
    } while (after !== null);
  }

  async #restoreBatch(marker: Marker): Promise<void> {
    const { store, clock } = this.#world;
    const { tenant, batchId } = marker;
    const submit = await getJson(store, keys.submit(tenant, batchId), submitObject);
    if (!submit) {
      if (clock.now() - marker.info.modifiedMs > orphanMarkerMs) await store.delete(marker.info.key);
      return;
    }
    const [plan, manifest] = await Promise.all([
      findPlan(store, tenant, batchId),
      findManifest(store, tenant, batchId),
    ]);
    if (manifest) return closeBatch(this.#world, submit, manifest);
    // The accept may have stopped before its index entry; writing it again changes nothing.
    if (!this.#queuedMs.has(batchId)) await putInLists(store, submit);
    return this.#restoreWork(submit, plan);
  }

  async #restoreWork(submit: SubmitObject, plan: PlanObject | null): Promise<void> {
    const { store, queue, clock } = this.#world;
    const { tenant, batchId } = submit;
    if (!plan) return this.#queueNowAndThen(batchId, () => queue.add('plan', [planJob(submit)]));
    if (plan.kind === 'verdict') return this.#queueNowAndThen(batchId, () => queue.add('finish', [finishJob(submit)]));

    const decided = await decidedShards(store, tenant, batchId);
    if (decided.size >= plan.shards.length) return queue.add('finish', [finishJob(submit)]);

    await noteOpenWork(this.#world, submit, plan, decided);
    const cancelMs = await cancelRequestedMs(store, tenant, batchId);
    const stopMs = Math.min(cancelMs ?? Infinity, submit.expiresMs);
    if (clock.now() < stopMs) {
      await this.#queueNowAndThen(batchId, () => queueShards(this.#world, submit, plan, decided));
      await this.#progressNews.tell(submit, plan, decided);
      return this.#riskNews.tell(submit);
    }
    if (clock.now() < stopMs + giveUpGraceMs) return;
    for (const shard of plan.shards)
      if (!decided.has(shard.n))
        await giveUpShard(this.#world, submit, plan, shard, stopMs === cancelMs ? 'cancelled' : 'expired');
    return queue.add('finish', [finishJob(submit)]);
  }

  async #queueNowAndThen(batchId: string, add: () => Promise<void>): Promise<void> {
    const now = this.#world.clock.now();
    const last = this.#queuedMs.get(batchId);
    if (last !== undefined && now - last < requeueMs) return;
    await add();
    this.#queuedMs.set(batchId, now);
  }
}
