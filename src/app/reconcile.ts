import type { BatchJob } from '../contract/queue-payload.js';
import type { ManifestObject, SubmitObject, WorkHead, WorkPlan } from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { errorCode } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import { isTenant, keys } from '../domain/object-keys.js';
import type { ObjectInfo } from '../ports/object-store.js';
import type { FleetState } from '../ports/progress-board.js';
import { decidedShards, repairLists } from './batch-records.js';
import { closeBatch } from './close-batch.js';
import { giveUpShard } from './give-up-shard.js';
import { finishJob, planJob, planJobId, shardJobId } from './jobs.js';
import { listAll } from './list-all.js';
import { noteOpenWork, readFleet } from './open-work.js';
import { queueShards } from './plan-batch.js';
import { sideBySide } from './side-by-side.js';
import { LookTimes, type Look } from './sweep/look-times.js';
import { LostJobs } from './sweep/lost-jobs.js';
import { SweepTurns } from './sweep/sweep-turns.js';
import { ProgressNews } from './webhooks/progress-news.js';
import { RiskNews } from './webhooks/risk-news.js';
import { DeliveryKeeper } from './webhooks/restore-deliveries.js';
import type { World } from './world.js';

/** A marker without a batch behind it is left for this long: its accept may still be under way. */
const orphanMarkerMs = 3600 * 1000;
/** Workers get this long to keep what they have finished before a cancelled or expired shard is given up under them. */
const giveUpGraceMs = 8000;
const sweepMsDefault = 5000;

interface Marker extends BatchJob {
  readonly info: ObjectInfo;
}

function toMarker(info: ObjectInfo): Marker | null {
  const [tenant, batchId, more] = info.key.slice(keys.openBatches.length).split('/');
  if (tenant === undefined || batchId === undefined || more !== undefined) return null;
  return isTenant(tenant) && isId('batch', batchId) ? { tenant, batchId, info } : null;
}

/** What the looks of one sweep share. */
interface Sweep {
  readonly lost: LostJobs;
  readonly fleet: () => Promise<FleetState | null>;
  /** Shards that may still be given up, of tenants of which some were. */
  readonly giveUps: Map<string, number>;
}

/** A look at a batch, but for what most looks have in common. */
type Found = Pick<Look, 'found' | 'watched'> & Partial<Look> & { readonly noted?: boolean };

const nothingDue = { dueMs: Infinity, waitMsMax: bounds.sweepLookMs, restored: false };

/**
 * The janitor. What a crash left undone stands in the object store; it finds it and puts it back into the queue, or does it when it
 * is small:
 *
 *     state found                                         action
 *     marker, no submit.json                              after an hour: remove the marker
 *     submit.json, no plan.json                           queue the plan
 *     plan is a verdict, or every shard is decided        queue the finish
 *     shards undecided, cancelled or expired              after a grace: give the shards up
 *     shards undecided                                    queue them, unless the planner is still at it
 *     manifest.json                                       close the batch
 *
 * Only jobs that the queue does not hold are queued. A sweep lists the markers of open batches and asks the queue for one job of
 * each; `LookTimes` says which batches it then looks at, of each tenant a bounded number. Closing a batch and giving shards up need
 * the store only, and go on while the queue is away.
 *
 * One process sweeps for all (`Lease`); it only adds work with fixed ids, so that two at once do no harm. What is still to be told
 * is the `DeliveryKeeper`'s.
 */
export class Janitor {
  readonly #world: World;
  readonly #looks: LookTimes;
  readonly #turns = new SweepTurns(bounds.looksPerSweep);
  readonly #deliveries: DeliveryKeeper;
  readonly #progressNews: ProgressNews;
  readonly #riskNews: RiskNews;

  /** `sweepMs`: pause between two sweeps. */
  constructor(world: World, sweepMs = sweepMsDefault) {
    this.#world = world;
    this.#looks = new LookTimes(world.clock, sweepMs);
    this.#deliveries = new DeliveryKeeper(world);
    this.#progressNews = new ProgressNews(world);
    this.#riskNews = new RiskNews(world);
  }

  /** One sweep over everything open. A batch that fails is logged and does not keep the others from their turn. */
  async sweep(): Promise<void> {
    const lost = new LostJobs(this.#world);
    let state: Promise<FleetState | null> | undefined;
    const sweep: Sweep = { lost, fleet: () => (state ??= readFleet(this.#world)), giveUps: new Map() };
    this.#looks.beginSweep();
    this.#turns.begin();
    const news = await this.#goneJobs(lost);
    await sideBySide(listAll(this.#world.store, keys.openBatches), bounds.storeReadsAtOnce, async (info) => {
      const marker = toMarker(info);
      if (!marker || !this.#looks.isDue(info, news) || !this.#turns.admits(marker.tenant, info.key)) return;
      this.#turns.used(marker.tenant, 1);
      await this.#look(marker, sweep);
    });
    this.#looks.endSweep();
    await this.#deliveries.sweep(lost);
  }

  /** Markers of batches whose watched job the queue does not hold any more: it was done, or the queue was lost. */
  async #goneJobs(lost: LostJobs): Promise<ReadonlySet<string>> {
    const news = new Set<string>();
    for (const [kind, markers] of this.#looks.watched()) {
      const ids = [...markers.keys()];
      for (let from = 0; from < ids.length; from += bounds.jobsPerAddMax)
        for (const id of await lost.among(kind, ids.slice(from, from + bounds.jobsPerAddMax)))
          news.add(markers.get(id) ?? '');
    }
    return news;
  }

  async #look(marker: Marker, sweep: Sweep): Promise<void> {
    try {
      const found = await this.#restoreBatch(marker, sweep);
      if (found) this.#looks.looked(marker.info, { ...nothingDue, ...found }, found.noted ?? false);
      else this.#looks.forget(marker.info.key);
    } catch (error) {
      this.#looks.failed(marker.info);
      this.#world.log.warn('janitor.batch_failed', { batchId: marker.batchId, code: errorCode(error) });
    }
  }

  /** null: the batch is closed, or must be looked at anew. */
  async #restoreBatch({ tenant, batchId, info }: Marker, sweep: Sweep): Promise<Found | null> {
    const { store, clock, records } = this.#world;
    const [submit, plan, manifest, cancelMs] = await Promise.all([
      records.submit(tenant, batchId),
      records.planHead(tenant, batchId),
      records.manifest(tenant, batchId),
      records.cancelMs(tenant, batchId),
    ]);
    if (!submit) {
      if (clock.now() - info.modifiedMs > orphanMarkerMs) await store.delete(info.key);
      return { found: 'marker', watched: null };
    }
    if (manifest) return this.#close(submit, manifest);
    // The accept may have stopped before its index entry.
    if (this.#looks.last(info.key) === null) await repairLists(store, submit);
    if (plan?.kind === 'work') return this.#restoreShards(submit, plan, cancelMs, info.key, sweep);
    return plan ? this.#restoreFinish(submit, sweep) : this.#restorePlan(submit, sweep);
  }

  async #restorePlan(submit: SubmitObject, { lost }: Sweep): Promise<Found> {
    const job = planJob(submit, this.#world, submit.input?.bytes);
    const restored = (await lost.restore('plan', [job])) > 0;
    return { found: 'accepted', watched: { kind: 'plan', id: job.id }, restored };
  }

  async #restoreFinish(submit: SubmitObject, { lost }: Sweep): Promise<Found> {
    const job = finishJob(submit, this.#world);
    const restored = (await lost.restore('finish', [job])) > 0;
    return { found: 'decided', watched: { kind: 'finish', id: job.id }, restored };
  }

  async #close(submit: SubmitObject, manifest: ManifestObject): Promise<null> {
    if (await this.#isThere(submit)) await closeBatch(this.#world, submit, manifest);
    return null;
  }

  /** What is remembered of a batch does not tell that it was removed since: asked before anything is done for it. */
  async #isThere({ tenant, batchId }: BatchJob): Promise<boolean> {
    if (await this.#world.store.head(keys.submit(tenant, batchId))) return true;
    this.#world.records.forget(tenant, batchId);
    return false;
  }

  async #restoreShards(
    submit: SubmitObject,
    plan: WorkHead,
    cancelMs: number | null,
    key: string,
    sweep: Sweep,
  ): Promise<Found | null> {
    const { store, clock } = this.#world;
    const { tenant, batchId } = submit;
    const decided = await decidedShards(store, tenant, batchId);
    if (decided.size >= plan.shardTokens.length) return this.#restoreFinish(submit, sweep);

    const stopMs = Math.min(cancelMs ?? Infinity, submit.expiresMs);
    const now = clock.now();
    const found = `${decided.size}${cancelMs === null ? '' : ' cancelled'}`;
    if (now < stopMs) {
      const noted = await this.#noteWork(submit, plan, decided, key, found, sweep);
      const restored = await this.#queueLost(submit, plan, decided, sweep);
      const isFollowed = cancelMs === null && (await this.#tellNews(submit, plan, decided, sweep));
      const last = plan.shardTokens.findLastIndex((_, n) => !decided.has(n));
      return {
        found,
        watched: last < 0 ? null : { kind: 'shard', id: shardJobId(submit, last) },
        dueMs: stopMs + giveUpGraceMs,
        restored,
        noted,
        ...(isFollowed ? { waitMsMax: bounds.sweepNewsLookMs } : {}),
      };
    }
    if (now < stopMs + giveUpGraceMs) return { found, watched: null, dueMs: stopMs + giveUpGraceMs };
    if (!(await this.#isThere(submit))) return null;
    // Giving them up has failed for an hour: it ends without their parts.
    if (now >= submit.expiresMs + bounds.finishLateMs) return this.#restoreFinish(submit, sweep);
    const verdict = stopMs === cancelMs ? 'cancelled' : 'expired';
    const left = await this.#giveUp(submit, plan, decided, verdict, sweep);
    return left > 0 ? { found: `${left} left`, watched: null, dueMs: now } : this.#restoreFinish(submit, sweep);
  }

  /** For the estimates of all batches: when it has changed, and now and then, since the board may be lost. */
  async #noteWork(
    submit: SubmitObject,
    plan: WorkHead,
    decided: ReadonlyMap<number, number>,
    key: string,
    found: string,
    { lost }: Sweep,
  ): Promise<boolean> {
    const since = this.#world.clock.monotonic() - (this.#looks.notedMs(key) ?? -Infinity);
    if (lost.away || (this.#looks.last(key) === found && since < bounds.openWorkNotedMs)) return false;
    await noteOpenWork(this.#world, submit, plan, decided);
    return true;
  }

  /** Queues the shards that the queue does not hold. Returns whether there were any. */
  async #queueLost(
    submit: SubmitObject,
    plan: WorkHead,
    decided: ReadonlyMap<number, number>,
    { lost }: Sweep,
  ): Promise<boolean> {
    const { store, log } = this.#world;
    const { tenant, batchId } = submit;
    const shards = new Map(plan.shardTokens.map((_, n) => [shardJobId(submit, n), n]));
    const ids = [...shards].filter(([, n]) => !decided.has(n)).map(([id]) => id);
    const missing = await lost.among('shard', ids);
    if (missing.length === 0) return false;
    // As long as the queue holds the plan's job, whoever does it adds them all.
    const plannerGone = await lost.among('plan', [planJobId(submit)]);
    if (plannerGone.length === 0) return false;
    // Some were decided since the parts were listed.
    const since = await decidedShards(store, tenant, batchId);
    const only = new Set(missing.flatMap((id) => shards.get(id) ?? []).filter((n) => !since.has(n)));
    if (only.size === 0 || !(await this.#isThere(submit))) return false;
    const whole = await this.#wholePlan(submit);
    if (!whole) return false;
    await queueShards(this.#world, submit, whole, since, only);
    log.info('janitor.shards_restored', { tenant, batchId, shards: only.size });
    return true;
  }

  /** Returns whether anybody asks for news of the batch. */
  async #tellNews(
    submit: SubmitObject,
    plan: WorkHead,
    decided: ReadonlyMap<number, number>,
    { lost, fleet }: Sweep,
  ): Promise<boolean> {
    if (lost.away) return false;
    const ofProgress = await this.#progressNews.tell(submit, () => this.#wholePlan(submit), decided);
    const ofRisk = await this.#riskNews.tell(submit, plan, decided, fleet);
    return ofProgress || ofRisk;
  }

  /** Read where its shards are worked on: a sweep looks at many batches at once. null: it is damaged, and its finish says so. */
  async #wholePlan({ tenant, batchId }: SubmitObject): Promise<WorkPlan | null> {
    const plan = await this.#world.records.plan(tenant, batchId);
    return plan?.kind === 'work' ? plan : null;
  }

  /** Returns how many undecided shards are left for the next sweep. */
  async #giveUp(
    submit: SubmitObject,
    head: WorkHead,
    decided: ReadonlyMap<number, number>,
    verdict: 'cancelled' | 'expired',
    { giveUps }: Sweep,
  ): Promise<number> {
    const roomNow = (): number => giveUps.get(submit.tenant) ?? bounds.giveUpsPerSweep;
    // Nothing is given up now, so the plan is not read for it.
    if (roomNow() === 0) return head.shardTokens.length - decided.size;
    const plan = await this.#wholePlan(submit);
    if (!plan) return 0;
    const open = plan.shards.filter(({ n }) => !decided.has(n));
    // Other batches of the tenant may have taken some while the plan was read.
    const room = roomNow();
    const now = open.slice(0, room);
    giveUps.set(submit.tenant, room - now.length);
    await sideBySide(now, bounds.giveUpsAtOnce, async (shard) => {
      try {
        await giveUpShard(this.#world, submit, plan, shard, verdict);
      } catch (error) {
        // The part stands; only the hint of it could not be noted.
        if (errorCode(error) !== 'queue_unavailable') throw error;
      }
    });
    return open.length - now.length;
  }
}
