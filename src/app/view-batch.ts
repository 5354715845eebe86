import type { AttemptCounts, BatchObject, RequestCounts } from '../contract/batch-object.js';
import type { ManifestObject, PlanHead, SubmitObject } from '../contract/stored-objects.js';
import { deriveState } from '../domain/batch-state.js';
import { bounds } from '../domain/bounds.js';
import { errorCode } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import type { FleetState, ShardProgress } from '../ports/progress-board.js';
import { readBatchAttempts, type AttemptsOfBatch } from './attempts/batch-attempts.js';
import { batchOutlook } from './batch-outlook.js';
import { Breather } from './breather.js';
import { decidedShards, lastDecidedMs, loadPartHeader, loadShownSubmit, noSuchBatch } from './batch-records.js';
import { readFleet } from './open-work.js';
import { childIds } from './retry/lineage.js';
import { sideBySide } from './side-by-side.js';
import type { World } from './world.js';

const toSeconds = (ms: number | null | undefined): number | null => (ms == null ? null : Math.floor(ms / 1000));

interface Progress {
  readonly counts: RequestCounts;
  readonly allDecided: boolean;
  readonly lastDecidedMs: number | null;
  /** Decided shards with their counts, while the batch runs. */
  readonly decided: ReadonlyMap<number, ShardProgress | null>;
}

const noneDecided: Progress['decided'] = new Map();

type ProgressReader = Pick<World, 'store' | 'records' | 'progress' | 'log'>;

async function readHint(world: ProgressReader, batchId: string): Promise<ReadonlyMap<number, ShardProgress>> {
  try {
    return await world.progress.read(batchId);
  } catch (error) {
    world.log.warn('progress.unavailable', { batchId, code: errorCode(error) });
    return new Map();
  }
}

/** Which shards are decided, from the store, with what the board knows of them. */
interface Decided {
  readonly shards: ReadonlyMap<number, number>;
  readonly hint: ReadonlyMap<number, ShardProgress>;
}

async function readDecided(world: ProgressReader, tenant: string, batchId: string): Promise<Decided> {
  const [shards, hint] = await Promise.all([decidedShards(world.store, tenant, batchId), readHint(world, batchId)]);
  return { shards, hint };
}

/** Counts of a batch without manifest. What the board has lost is read from the parts. */
async function toProgress(
  world: ProgressReader & Pick<World, 'clock'>,
  { tenant, batchId }: SubmitObject,
  plan: PlanHead | null,
  decided: Decided | null,
): Promise<Progress> {
  if (plan?.kind !== 'work')
    return {
      counts: { total: 0, completed: 0, failed: 0 },
      allDecided: plan !== null,
      lastDecidedMs: plan?.plannedMs ?? null,
      decided: noneDecided,
    };
  const { shards, hint } = decided ?? (await readDecided(world, tenant, batchId));
  const counts = new Map<number, ShardProgress | null>();
  const unknown: number[] = [];
  // A page has a hundred batches, and each may have thousands of shards.
  const breather = new Breather(world.clock);
  for (const shard of shards.keys()) {
    if (breather.due) await breather.pause();
    const known = hint.get(shard) ?? null;
    counts.set(shard, known);
    if (known === null) unknown.push(shard);
  }
  await sideBySide(unknown, bounds.storeReadsAtOnce, async (shard) =>
    counts.set(shard, await world.records.counts(tenant, batchId, shard)),
  );
  let completed = 0;
  let failed = 0;
  for (const known of counts.values()) {
    completed += known?.completed ?? 0;
    failed += known?.failed ?? 0;
  }
  return {
    counts: { total: plan.lines, completed, failed },
    allDecided: shards.size === plan.shardTokens.length,
    lastDecidedMs: lastDecidedMs(plan, shards),
    decided: counts,
  };
}

export function usageOf(manifest: ManifestObject): NonNullable<BatchObject['usage']> {
  return {
    input_tokens: manifest.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: manifest.outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: manifest.inputTokens + manifest.outputTokens,
  };
}

function speedOf({ shapes, generatingMs }: ManifestObject): number | null {
  return generatingMs > 0 ? Math.round((shapes.useful_tokens / generatingMs) * 10_000) / 10 : null;
}

/** The objects of a batch that were found. */
interface Found {
  readonly submit: SubmitObject;
  readonly plan: PlanHead | null;
  readonly cancelMs: number | null;
  readonly manifest: ManifestObject | null;
  readonly progress: Progress;
  readonly troubles: Troubles;
}

/** What the batch took beside the attempts that succeeded, and what was given up. */
interface Troubles {
  readonly counts: AttemptCounts;
  readonly givenUp: Readonly<Record<string, number>>;
}

const noTroubles: Troubles = { counts: { workers_lost: 0, failed: 0 }, givenUp: {} };

/** Of a batch that runs. Of decided shards only those that failed before may hold lines that were given up. */
async function readTroubles(
  { store }: Pick<World, 'store'>,
  { tenant, batchId }: SubmitObject,
  decided: Progress['decided'],
  { counts, shards }: AttemptsOfBatch,
): Promise<Troubles> {
  const givenUp: Record<string, number> = {};
  await sideBySide(
    [...shards].filter((shard) => decided.has(shard)),
    bounds.storeReadsAtOnce,
    async (shard) => {
      const header = await loadPartHeader(store, tenant, batchId, shard);
      for (const [code, lines] of Object.entries(header?.givenUp ?? {})) givenUp[code] = (givenUp[code] ?? 0) + lines;
    },
  );
  return { counts, givenUp };
}

type FleetReader = () => Promise<FleetState | null>;

async function toBatchObject(world: World, found: Found, fleet: FleetReader): Promise<BatchObject> {
  const { submit, plan, cancelMs, manifest, progress, troubles } = found;
  const { tenant, batchId } = submit;
  const status = deriveState({
    plan: plan === null ? 'absent' : plan.kind === 'work' ? 'work' : plan.verdict,
    cancelRequested: cancelMs !== null,
    allShardsDecided: progress.allDecided,
    manifest: manifest?.state ?? null,
  });
  const endedAt = (state: ManifestObject['state']): number | null =>
    manifest?.state === state ? toSeconds(manifest.finishedMs) : null;
  const errors = plan?.kind === 'verdict' ? plan.errors : (manifest?.reasons ?? []);
  return {
    id: batchId,
    object: 'batch',
    endpoint: submit.endpoint ?? (plan?.kind === 'work' ? plan.endpoint : '/v1/completions'),
    model: plan?.kind === 'work' ? plan.model : null,
    errors: errors.length > 0 ? { object: 'list', data: errors } : null,
    input_file_id: submit.inputFileId,
    completion_window: submit.completionWindow,
    status,
    output_file_id: manifest?.output?.fileId ?? null,
    error_file_id: manifest?.errors?.fileId ?? null,
    created_at: Math.floor(submit.createdMs / 1000),
    in_progress_at: plan?.kind === 'work' ? toSeconds(plan.plannedMs) : null,
    expires_at: toSeconds(submit.expiresMs),
    finalizing_at: status === 'finalizing' || manifest ? toSeconds(progress.lastDecidedMs) : null,
    completed_at: endedAt('completed'),
    failed_at: endedAt('failed'),
    expired_at: endedAt('expired'),
    cancelling_at: toSeconds(cancelMs),
    cancelled_at: endedAt('cancelled'),
    request_counts: progress.counts,
    usage: manifest && manifest.counts.total > 0 ? usageOf(manifest) : null,
    metadata: submit.metadata,
    eyrie: {
      source: submit.source,
      parent_batch_id: submit.retryOf?.batchId ?? null,
      child_batch_ids: manifest ? await childIds(world.store, tenant, batchId) : [],
      shapes: manifest?.shapes ?? null,
      attempts: troubles.counts,
      given_up: troubles.givenUp,
      tokens_per_second: manifest && speedOf(manifest),
      ...(await batchOutlook({
        submit,
        plan,
        manifest,
        status,
        decided: progress.decided,
        fleet,
        nowMs: world.clock.now(),
      })),
    },
  };
}

/** What led to the end of a batch: its manifest was found, so all of it is there. */
async function findEnded(world: World, submit: SubmitObject, manifest: ManifestObject): Promise<Found> {
  const { tenant, batchId } = submit;
  const [plan, cancelMs] = await Promise.all([
    world.records.planHead(tenant, batchId),
    world.records.cancelMsOfEnded(tenant, batchId),
  ]);
  const { counts, finalizingMs } = manifest;
  const progress = { counts, allDecided: true, lastDecidedMs: finalizingMs, decided: noneDecided };
  const troubles = { counts: manifest.attempts, givenUp: manifest.givenUp };
  return { submit, plan, cancelMs, manifest, progress, troubles };
}

/** All reads side by side; of a batch that is known to have ended, only whether it was deleted since. */
async function findBatch(world: World, tenant: string, batchId: string): Promise<Found> {
  const { records } = world;
  const ended = records.knownManifest(tenant, batchId);
  if (ended) return findEnded(world, await loadShownSubmit(world, tenant, batchId), ended);
  const isPlanned = records.knownPlanHead(tenant, batchId)?.kind === 'work';
  const [submit, manifest, plan, cancelMs, decided, attempts] = await Promise.all([
    loadShownSubmit(world, tenant, batchId),
    records.manifest(tenant, batchId),
    records.planHead(tenant, batchId),
    records.cancelMs(tenant, batchId),
    isPlanned ? readDecided(world, tenant, batchId) : null,
    readBatchAttempts(world.store, tenant, batchId),
  ]);
  // Whoever sees the end sees all that led to it: what was read beside the manifest may be older.
  if (manifest) return findEnded(world, submit, manifest);
  const progress = await toProgress(world, submit, plan, decided);
  const troubles = await readTroubles(world, submit, progress.decided, attempts);
  return { submit, plan, cancelMs, manifest, progress, troubles };
}

/**
 * The batch as users see it, derived from the objects found. `fleet` is asked when the end is to be estimated. Throws `not_found`, also for
 * another tenant's id.
 */
export async function viewBatch(
  world: World,
  tenant: string,
  batchId: string,
  fleet: FleetReader = () => readFleet(world),
): Promise<BatchObject> {
  if (!isId('batch', batchId)) throw noSuchBatch(batchId);
  return toBatchObject(world, await findBatch(world, tenant, batchId), fleet);
}

/** The batch as it was at the moment of its acceptance, whatever has become of it since: what its maker is answered. */
export async function viewAccepted(world: World, submit: SubmitObject): Promise<BatchObject> {
  const progress = await toProgress(world, submit, null, null);
  const found = { submit, plan: null, cancelMs: null, manifest: null, progress, troubles: noTroubles };
  return toBatchObject(world, found, () => readFleet(world));
}
