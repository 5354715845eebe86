import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BatchObject } from '../contract/batch-object.js';
import type { CreateBatchRequest } from '../contract/create-batch.js';
import { submitObject, type StoredFile, type SubmitObject } from '../contract/stored-objects.js';
import { defaultWindow } from '../domain/completion-window.js';
import { EyrieError } from '../domain/errors.js';
import { derivedId } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import { isDeleted } from './batch-records.js';
import { deadlineWithin, expiresAfterWindow, priceOf } from './batch-terms.js';
import { commitSubmit } from './commit-submit.js';
import { findFile } from './files/find-file.js';
import { storeInline } from './files/store-inline.js';
import { toInputRef } from './input-content.js';
import type { FilesQuota } from './quotas/files-quota.js';
import { takeOpenBatch } from './quotas/take-open-batch.js';
import { getJson, putJson } from './stored-json.js';
import { viewAccepted, viewBatch } from './view-batch.js';
import { checkBatchWebhook } from './webhooks/check-batch-webhook.js';
import type { World } from './world.js';

export interface CreateBatch {
  readonly tenant: string;
  readonly request: CreateBatchRequest;
  /** From the `Idempotency-Key` header. */
  readonly idempotencyKey: string | null;
  /** From `x-stainless-retry-count`: above 0 the client repeats a call whose answer it did not see. */
  readonly retryCount: number;
  /** What requests in the call are counted by; absent: they are not counted. */
  readonly filesQuota?: Pick<FilesQuota, 'taking'>;
}

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** The last batch made by an equal request, so that a client's automatic retry meets it instead of making another. */
const recentCreate = z.object({ batchId: z.string(), ms: z.number() });
const retryWindowMs = 15 * 60 * 1000;

/** The id under which this call may have made its batch before; null: it is a new call. */
async function repeatedBatchId(world: World, input: CreateBatch, requestHash: string): Promise<string | null> {
  if (input.idempotencyKey !== null)
    return derivedId('batch', world.idSecret, input.tenant, 'key', input.idempotencyKey);
  if (input.retryCount === 0) return null;
  const recent = await getJson(world.store, keys.recentCreate(input.tenant, requestHash), recentCreate);
  return recent && world.clock.now() - recent.ms < retryWindowMs ? recent.batchId : null;
}

async function noteRecent(
  { store, clock }: World,
  tenant: string,
  requestHash: string,
  batchId: string,
): Promise<void> {
  await putJson(store, keys.recentCreate(tenant, requestHash), { batchId, ms: clock.now() });
}

/** The input as it lies in the store; null when the tenant has no such batch file (the batch then fails validation). */
export async function findInput(world: World, tenant: string, fileId: string): Promise<StoredFile | null> {
  const file = await findFile(world, tenant, fileId);
  return file?.purpose === 'batch' ? file : null;
}

/** The id of a deleted batch is never used again: a repeat of its create must not bring it back. */
export async function refuseDeleted({ store }: World, tenant: string, batchId: string): Promise<void> {
  if (await isDeleted(store, tenant, batchId))
    throw new EyrieError(
      'idempotency_key_reused',
      'The batch that was made with this Idempotency-Key has been deleted. Use a new key for a new batch.',
      { param: 'Idempotency-Key' },
    );
}

type InlineRequests = NonNullable<CreateBatchRequest['requests']>;

export const inlineRequestsOf = (request: CreateBatchRequest): InlineRequests | undefined =>
  request.requests ?? request.eyrie?.requests;

/** Stores the requests of the call as an input file, which counts by the bytes that it takes. */
async function storeRequests(
  world: World,
  { tenant, request, filesQuota }: CreateBatch,
  batchId: string,
  requestHash: string,
  requests: InlineRequests,
): Promise<StoredFile> {
  const content = requests.content(request.endpoint);
  const store = () => storeInline(world, tenant, batchId, requestHash, content);
  return filesQuota ? filesQuota.taking(tenant, content.length, store) : store();
}

async function toSubmit(world: World, input: CreateBatch, batchId: string, requestHash: string): Promise<SubmitObject> {
  const { tenant, request } = input;
  await checkBatchWebhook(world, tenant, request);
  const createdMs = world.clock.now();
  const completionWindow = request.completion_window ?? defaultWindow;
  const expiresMs = expiresAfterWindow(world, completionWindow, createdMs);
  const deadlineMs = deadlineWithin(request.eyrie?.deadline, createdMs, expiresMs);
  const requests = inlineRequestsOf(request);
  const inputFileId = request.input_file_id ?? '';
  const file = requests
    ? await storeRequests(world, input, batchId, requestHash, requests)
    : await findInput(world, tenant, inputFileId);
  const own = request.eyrie?.webhook;
  return {
    v: 1,
    batchId,
    tenant,
    source: 'api',
    createdMs,
    expiresMs,
    input: file && toInputRef(file),
    inputFileId: file?.id ?? inputFileId,
    endpoint: request.endpoint ?? null,
    validation: request.eyrie?.validation ?? 'strict',
    completionWindow,
    priority: request.eyrie?.priority ?? 0,
    deadlineMs,
    price: priceOf(world, completionWindow),
    metadata: request.metadata ?? null,
    outputExpiresSeconds: request.output_expires_after?.seconds ?? null,
    webhooks: own ? [{ id: derivedId('endpoint', world.idSecret, batchId, own.url), url: own.url }] : [],
    outboxName: null,
    requestHash,
  };
}

function checkSameRequest(stored: SubmitObject, requestHash: string): void {
  if (stored.requestHash !== requestHash)
    throw new EyrieError(
      'idempotency_key_reused',
      'This Idempotency-Key was used before with another request body. Use a new key for a new batch.',
      { param: 'Idempotency-Key' },
    );
}

/**
 * Accepts a batch over an uploaded file or over the requests of the call. Needs the object store only; validation follows in
 * `plan-batch`. A repeat, by its key or as a client's own retry, gives the batch of the first call, also while that is under way:
 * both end in the same conditional write.
 */
export async function acceptBatch(world: World, input: CreateBatch): Promise<BatchObject> {
  const { tenant, request } = input;
  const requestHash = hashOf(request);
  const repeated = await repeatedBatchId(world, input, requestHash);
  if (repeated !== null) {
    await refuseDeleted(world, tenant, repeated);
    const earlier = await getJson(world.store, keys.submit(tenant, repeated), submitObject);
    if (earlier) {
      checkSameRequest(earlier, requestHash);
      return viewBatch(world, tenant, repeated);
    }
  }
  const batchId = repeated ?? world.ids.next('batch');
  const { stored, isNew } = await takeOpenBatch(world, tenant, batchId, async () => {
    if (repeated === null) await noteRecent(world, tenant, requestHash, batchId);
    const submit = await toSubmit(world, input, batchId, requestHash);
    const committed = await commitSubmit(world, submit);
    return { stored: committed, isNew: committed === submit };
  });
  checkSameRequest(stored, requestHash);
  return isNew ? viewAccepted(world, stored) : viewBatch(world, tenant, batchId);
}
