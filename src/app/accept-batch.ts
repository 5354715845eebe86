import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BatchObject, CreateBatchRequest } from '../contract/batch-object.js';
import { submitObject, type StoredFile, type SubmitObject } from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError, errorCode } from '../domain/errors.js';
import { derivedId } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import { isDeleted } from './batch-records.js';
import { findFile } from './files/find-file.js';
import { planJob } from './jobs.js';
import { createJson, getJson, putJson } from './stored-json.js';
import { viewBatch } from './view-batch.js';
import type { World } from './world.js';

export interface CreateBatch {
  readonly tenant: string;
  readonly request: CreateBatchRequest;
  /** From the `Idempotency-Key` header. */
  readonly idempotencyKey: string | null;
  /** From `x-stainless-retry-count`: above 0 the client repeats a call whose answer it did not see. */
  readonly retryCount: number;
}

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** The last batch made by an equal request, so that a client's automatic retry meets it instead of making another. */
const recentCreate = z.object({ batchId: z.string(), ms: z.number() });
const retryWindowMs = 15 * 60 * 1000;

async function chooseBatchId(world: World, input: CreateBatch, requestHash: string): Promise<string> {
  if (input.idempotencyKey !== null)
    return derivedId('batch', world.idSecret, input.tenant, 'key', input.idempotencyKey);
  const key = keys.recentCreate(input.tenant, requestHash);
  const now = world.clock.now();
  if (input.retryCount > 0) {
    const recent = await getJson(world.store, key, recentCreate);
    if (recent && now - recent.ms < retryWindowMs) return recent.batchId;
  }
  const batchId = world.ids.next('batch');
  await putJson(world.store, key, { batchId, ms: now });
  return batchId;
}

/** The input as it lies in the store; null when the tenant has no such batch file (the batch then fails validation). */
async function findInput(world: World, tenant: string, fileId: string): Promise<StoredFile | null> {
  const file = await findFile(world, tenant, fileId);
  return file?.purpose === 'batch' ? file : null;
}

/**
 * The commit of a batch: once this returns, it survives the loss of every process and of the queue. The open marker is written
 * before submit.json, so that the janitor finds the batch whatever happens in between, and again after it, in case a sweep
 * took the first one for a leftover. Returns the stored submit object: another's, when the batch was there already.
 */
export async function commitSubmit(world: World, submit: SubmitObject): Promise<SubmitObject> {
  const { store } = world;
  const { tenant, batchId } = submit;
  const marker = keys.openBatch(tenant, batchId);
  await store.put(marker, Buffer.of());
  const { created } = await createJson(store, keys.submit(tenant, batchId), submit);
  if (!created) {
    const earlier = await getJson(store, keys.submit(tenant, batchId), submitObject);
    if (!earlier) throw new EyrieError('store_unavailable', 'The batch record could not be read back. Try again.');
    // It may have ended long ago: then the marker just written would only make the janitor look once more.
    if (await store.head(keys.manifest(tenant, batchId))) await store.delete(marker);
    return earlier;
  }
  await store.put(marker, Buffer.of());
  await store.put(keys.batchIndexEntry(tenant, submit.createdMs, batchId), Buffer.of());
  try {
    await world.queue.add('plan', [planJob(submit)]);
  } catch (error) {
    // Accepted all the same: the janitor queues it as soon as the queue is back.
    world.log.warn('batch.enqueue_failed', { tenant, batchId, code: errorCode(error) });
  }
  world.log.info('batch.accepted', { tenant, batchId, source: submit.source, inputBytes: submit.input?.bytes ?? null });
  return submit;
}

/** The id of a deleted batch is never used again: a repeat of its create must not bring it back. */
async function refuseDeleted({ store }: World, tenant: string, batchId: string): Promise<void> {
  if (await isDeleted(store, tenant, batchId))
    throw new EyrieError(
      'idempotency_key_reused',
      'The batch that was made with this Idempotency-Key has been deleted. Use a new key for a new batch.',
      { param: 'Idempotency-Key' },
    );
}

/** Accepts a batch over an uploaded file. Needs the object store only; validation follows in `plan-batch`. */
export async function acceptBatch(world: World, input: CreateBatch): Promise<BatchObject> {
  const { tenant, request } = input;
  const requestHash = hashOf(request);
  const batchId = await chooseBatchId(world, input, requestHash);
  await refuseDeleted(world, tenant, batchId);
  const file = await findInput(world, tenant, request.input_file_id);
  const endpoints = await world.tenants.webhookEndpoints(tenant);
  const own = request.eyrie?.webhook;
  const createdMs = world.clock.now();
  const stored = await commitSubmit(world, {
    v: 1,
    batchId,
    tenant,
    source: 'api',
    createdMs,
    expiresMs: createdMs + bounds.completionWindowSeconds * 1000,
    input: file && { key: file.contentKey, etag: file.etag, bytes: file.bytes },
    inputFileId: request.input_file_id,
    endpoint: request.endpoint,
    validation: request.eyrie?.validation ?? 'strict',
    completionWindow: request.completion_window,
    metadata: request.metadata ?? null,
    outputExpiresSeconds: request.output_expires_after?.seconds ?? null,
    webhooks: [
      ...endpoints,
      ...(own ? [{ id: derivedId('endpoint', world.idSecret, batchId, own.url), url: own.url }] : []),
    ],
    outboxName: null,
    requestHash,
  });
  if (stored.requestHash !== requestHash)
    throw new EyrieError(
      'idempotency_key_reused',
      'This Idempotency-Key was used before with another request body. Use a new key for a new batch.',
      { param: 'Idempotency-Key' },
    );
  return viewBatch(world, tenant, batchId);
}
