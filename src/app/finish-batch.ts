import type { BatchJob } from '../contract/queue-payload.js';
import type { ManifestObject, PlanObject, StoredFile, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import { terminalState, type Verdict } from '../domain/batch-state.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { derivedId } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import { decidedShards, findManifest, findPlan, lastDecidedMs, loadSubmit } from './batch-records.js';
import { closeBatch } from './close-batch.js';
import { noWaste } from './give-up-shard.js';
import { decodePart } from './part.js';
import { putOnAgenda } from './retention/agenda.js';
import { addShapes } from './shape-meter.js';
import { createJson } from './stored-json.js';
import type { World } from './world.js';

interface Tally {
  completed: number;
  failed: number;
  inputTokens: number;
  outputTokens: number;
  shapes: ManifestObject['shapes'];
  verdicts: Set<Verdict>;
  startedMs: number;
  finishedMs: number;
}

const emptyTally = (plannedMs: number): Tally => ({
  completed: 0,
  failed: 0,
  inputTokens: 0,
  outputTokens: 0,
  shapes: noWaste,
  verdicts: new Set(),
  startedMs: Infinity,
  finishedMs: plannedMs,
});

/** The lines of one result file in input order; the tally is complete when the last one was taken. */
async function* mergeParts(
  world: World,
  submit: SubmitObject,
  plan: WorkPlan,
  ok: boolean,
  tally: Tally,
): AsyncGenerator<Uint8Array> {
  for (const shard of plan.shards) {
    const part = await world.store.get(keys.part(submit.tenant, submit.batchId, shard.n));
    const { header, lines } = part ? decodePart(part.bytes) : { header: null, lines: [] };
    if (!header || lines.length !== shard.count || header.count !== shard.count)
      throw new EyrieError(
        'internal_error',
        `Part ${shard.n} of ${submit.batchId} has ${lines.length} of ${shard.count} lines.`,
      );
    tally.completed += header.completed;
    tally.failed += header.failed;
    tally.inputTokens += header.inputTokens;
    tally.outputTokens += header.outputTokens;
    tally.shapes = addShapes(tally.shapes, header.shapes);
    if (header.outputTokens > 0) tally.startedMs = Math.min(tally.startedMs, header.startedMs);
    tally.finishedMs = Math.max(tally.finishedMs, header.finishedMs);
    if (header.verdict) tally.verdicts.add(header.verdict);
    const chosen = lines.filter((line) => line.ok === ok).map(({ bytes }) => bytes);
    if (chosen.length > 0) yield Buffer.concat(chosen);
  }
}

async function* counted(
  lines: AsyncIterable<Uint8Array>,
  count: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of lines) {
    count(chunk);
    yield chunk;
  }
}

type ResultKind = 'output' | 'errors';

/** Writes one result file and its file record; null when it would be empty. Its bytes follow from the parts, so writing it twice is harmless. */
async function writeResults(
  world: World,
  submit: SubmitObject,
  plan: WorkPlan,
  kind: ResultKind,
): Promise<{ file: ManifestObject['output']; tally: Tally }> {
  const { tenant, batchId } = submit;
  const tally = emptyTally(plan.plannedMs);
  const merged = mergeParts(world, submit, plan, kind === 'output', tally);
  const first = await merged.next();
  if (first.done === true) return { file: null, tally };
  const whole = (async function* () {
    yield first.value;
    yield* merged;
  })();
  let bytesSeen = 0;
  const key = keys[kind](tenant, batchId);
  const object = await world.store.putStream(
    key,
    counted(whole, (chunk) => (bytesSeen += chunk.length)),
  );
  if (object.bytes !== bytesSeen)
    throw new EyrieError('store_unavailable', `${key} was stored with ${object.bytes} of ${bytesSeen} bytes.`);
  const fileId = derivedId('file', world.idSecret, batchId, kind);
  const createdMs = world.clock.now();
  const expiresMs = submit.outputExpiresSeconds === null ? null : createdMs + submit.outputExpiresSeconds * 1000;
  if (expiresMs !== null) await putOnAgenda(world.store, expiresMs + bounds.removalDelayMs, tenant, fileId);
  await createJson(world.store, keys.file(tenant, fileId), {
    v: 1,
    id: fileId,
    bytes: object.bytes,
    sha256: object.sha256,
    filename: `${batchId}_${kind === 'output' ? 'output' : 'error'}.jsonl`,
    purpose: 'batch_output',
    createdMs,
    expiresMs,
    contentKey: key,
    etag: object.etag,
    batchId,
  } satisfies StoredFile);
  const lines = kind === 'output' ? tally.completed : tally.failed;
  return { file: { fileId, key, bytes: object.bytes, lines, sha256: object.sha256 }, tally };
}

async function makeManifest(
  world: World,
  submit: SubmitObject,
  plan: PlanObject,
  finalizingMs: number,
): Promise<ManifestObject> {
  const { batchId } = submit;
  const eventId = derivedId('event', world.idSecret, batchId, 'terminal');
  if (plan.kind === 'verdict')
    return {
      v: 1,
      batchId,
      state: terminalState(plan.verdict, new Set()),
      finishedMs: world.clock.now(),
      finalizingMs,
      generatingMs: 0,
      reasons: [],
      givenUp: {},
      attempts: { workers_lost: 0, failed: 0 },
      counts: { total: 0, completed: 0, failed: 0 },
      output: null,
      errors: null,
      inputTokens: 0,
      outputTokens: 0,
      shapes: noWaste,
      eventId,
    };
  const output = await writeResults(world, submit, plan, 'output');
  const { tally } = output;
  const errors = tally.failed > 0 ? (await writeResults(world, submit, plan, 'errors')).file : null;
  if (tally.completed + tally.failed !== plan.lines)
    throw new EyrieError(
      'internal_error',
      `${batchId} has ${tally.completed + tally.failed} results for ${plan.lines} lines.`,
    );
  return {
    v: 1,
    batchId,
    state: terminalState('work', tally.verdicts),
    finishedMs: world.clock.now(),
    finalizingMs,
    generatingMs: Math.max(0, tally.finishedMs - tally.startedMs),
    reasons: [],
    givenUp: {},
    attempts: { workers_lost: 0, failed: 0 },
    counts: { total: plan.lines, completed: tally.completed, failed: tally.failed },
    output: output.file,
    errors,
    inputTokens: tally.inputTokens,
    outputTokens: tally.outputTokens,
    shapes: tally.shapes,
    eventId,
  };
}

/**
 * Turns the parts of a batch into its result files, in input order, and ends the batch with manifest.json. Does nothing while
 * shards are undecided. Two finishers write equal bytes, and the first manifest counts.
 */
export async function finishBatch(world: World, batch: BatchJob): Promise<void> {
  const { tenant, batchId } = batch;
  const submit = await loadSubmit(world.store, tenant, batchId);
  let manifest = await findManifest(world.store, tenant, batchId);
  if (!manifest) {
    const plan = await findPlan(world.store, tenant, batchId);
    if (!plan) return;
    const decided = await decidedShards(world.store, tenant, batchId);
    if (plan.kind === 'work' && decided.size < plan.shards.length) return;
    const made = await makeManifest(
      world,
      submit,
      plan,
      plan.kind === 'work' ? lastDecidedMs(plan, decided) : plan.plannedMs,
    );
    const { created } = await createJson(world.store, keys.manifest(tenant, batchId), made);
    manifest = created ? made : await findManifest(world.store, tenant, batchId);
    if (created) {
      const { completed, failed } = made.counts;
      world.log.info('batch.finished', {
        tenant,
        batchId,
        state: made.state,
        completed,
        failed,
        outputTokens: made.outputTokens,
      });
    }
  }
  if (manifest) await closeBatch(world, submit, manifest);
}
