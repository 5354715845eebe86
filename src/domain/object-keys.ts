import type { ErrorCode } from './errors.js';
import { idPrefixes, isId } from './ids.js';

/**
 * Where everything lies in the object store. Keys are built here alone, from a tenant and validated ids, so no text of a user
 * ever becomes part of one. No key is a directory prefix of another key.
 */
const shardName = (shard: number): string => String(shard).padStart(6, '0');
const batchRoot = (tenant: string, batchId: string): string => `t/${tenant}/b/${batchId}`;

/** Sorts newest first: a listing in ascending order gives the latest batch before the older ones. */
export const invertedTime = (ms: number): string => String(9_999_999_999_999 - ms).padStart(13, '0');

export const keys = Object.freeze({
  openBatches: 'open/',
  openBatch: (tenant: string, batchId: string) => `open/${tenant}/${batchId}`,
  openBatchesOf: (tenant: string) => `open/${tenant}/`,
  pendingNotices: 'notify/',
  pendingNoticesOf: (tenant: string) => `notify/${tenant}/`,
  pendingNotice: (tenant: string, eventId: string) => `notify/${tenant}/${eventId}`,

  /** What is to be looked at for removal, by tenant and time: see `parseDue`. A folder holds what is due within 17 minutes. */
  agendas: 'agenda/',
  agenda: (tenant: string) => `agenda/${tenant}/`,
  /** `sinceMs`: when it was first to be looked at, for what is looked at again. */
  due: (ms: number, tenant: string, id: string, sinceMs?: number) =>
    `agenda/${tenant}/${String(ms)
      .padStart(13, '0')
      .replace(/(?=.{6}$)/, '/')}.${id}${sinceMs === undefined ? '' : `.${sinceMs}`}`,
  /** The same of earlier versions, in one list for all tenants: `due/{time}.{tenant}.{id}`. */
  oldDueItems: 'due/',

  /** All that is the service's of a tenant; what lies in an inbox is not. */
  ownObjects: (tenant: string) => `t/${tenant}/`,

  batches: (tenant: string) => `t/${tenant}/b/`,
  batch: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/`,
  submit: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/submit.json`,
  plan: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/plan.json`,
  cancel: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/cancel.json`,
  parts: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/parts/`,
  part: (tenant: string, batchId: string, shard: number) =>
    `${batchRoot(tenant, batchId)}/parts/${shardName(shard)}.jsonl`,
  /** A result file as one finisher wrote it; the manifest says which ones count. */
  result: (tenant: string, batchId: string, fileId: string) => `${batchRoot(tenant, batchId)}/out/${fileId}.jsonl`,
  /** What failed, by step: `plan`, `finish`, or the number of a shard. */
  attempts: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/attempts/`,
  stepAttempts: (tenant: string, batchId: string, step: 'plan' | 'finish') =>
    `${batchRoot(tenant, batchId)}/attempts/${step}/`,
  stepAttempt: (tenant: string, batchId: string, step: 'plan' | 'finish', name: string, code: ErrorCode) =>
    `${batchRoot(tenant, batchId)}/attempts/${step}/${name}.${code}.json`,
  shardAttempts: (tenant: string, batchId: string, shard: number) =>
    `${batchRoot(tenant, batchId)}/attempts/${shardName(shard)}/`,
  /** A worker was lost while it held the shard. */
  shardLoss: (tenant: string, batchId: string, shard: number, loss: number) =>
    `${batchRoot(tenant, batchId)}/attempts/${shardName(shard)}/lost/${String(loss).padStart(4, '0')}.json`,
  /** `range` as `rangeName` has it; `attempt`: an id of its own; `code`: why it failed, null while that is not known. */
  rangeAttempt: (
    tenant: string,
    batchId: string,
    shard: number,
    range: string,
    attempt: string,
    code: ErrorCode | null,
  ) =>
    `${batchRoot(tenant, batchId)}/attempts/${shardName(shard)}/${range}/${attempt}${code === null ? '' : `.${code}`}.json`,
  rangePart: (tenant: string, batchId: string, shard: number, range: string) =>
    `${batchRoot(tenant, batchId)}/attempts/${shardName(shard)}/${range}/part.jsonl`,
  manifest: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/manifest.json`,
  batchDeleted: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/deleted.json`,
  riskNews: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/risk.json`,
  progressNews: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/progress.json`,
  /** Batches that run failed lines of this one again, oldest first. */
  children: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/children/`,
  child: (tenant: string, batchId: string, createdMs: number, childId: string) =>
    `${batchRoot(tenant, batchId)}/children/${String(createdMs).padStart(13, '0')}-${childId}`,
  /** One per child that was ever begun, numbered from 0. */
  retryPlaces: (tenant: string, batchId: string) => `${batchRoot(tenant, batchId)}/retries/`,
  retryPlace: (tenant: string, batchId: string, n: number) =>
    `${batchRoot(tenant, batchId)}/retries/${String(n).padStart(3, '0')}.json`,
  retryLines: (tenant: string, batchId: string, fileId: string) => `${batchRoot(tenant, batchId)}/retry/${fileId}.json`,

  batchIndex: (tenant: string) => `t/${tenant}/idx/b/`,
  batchIndexEntry: (tenant: string, createdMs: number, batchId: string) =>
    `t/${tenant}/idx/b/${invertedTime(createdMs)}-${batchId}`,
  fileIndex: (tenant: string) => `t/${tenant}/idx/f/`,
  fileIndexEntry: (tenant: string, createdMs: number, fileId: string) =>
    `t/${tenant}/idx/f/${invertedTime(createdMs)}-${fileId}`,

  recentCreate: (tenant: string, requestHash: string) => `t/${tenant}/recent/${requestHash}`,

  files: (tenant: string) => `t/${tenant}/files/`,
  fileContent: (tenant: string, fileId: string) => `t/${tenant}/files/${fileId}/content`,
  file: (tenant: string, fileId: string) => `t/${tenant}/files/${fileId}/file.json`,
  fileClosed: (tenant: string, fileId: string) => `t/${tenant}/files/${fileId}/closed.json`,
  fileDeleted: (tenant: string, fileId: string) => `t/${tenant}/files/${fileId}/deleted.json`,

  report: (tenant: string, reportId: string) => `t/${tenant}/reports/${reportId}.json`,
  reportIndex: (tenant: string) => `t/${tenant}/idx/r/`,
  reportIndexEntry: (tenant: string, createdMs: number, reportId: string) =>
    `t/${tenant}/idx/r/${invertedTime(createdMs)}-${reportId}`,

  openUploads: 'uploads/',
  openUpload: (tenant: string, uploadId: string) => `uploads/${tenant}/${uploadId}`,
  /** Uploads that have not ended: what their number is counted by. */
  pendingUploads: (tenant: string) => `t/${tenant}/idx/u/`,
  pendingUpload: (tenant: string, uploadId: string) => `t/${tenant}/idx/u/${uploadId}`,
  uploads: (tenant: string) => `t/${tenant}/uploads/`,
  upload: (tenant: string, uploadId: string) => `t/${tenant}/uploads/${uploadId}/upload.json`,
  uploadParts: (tenant: string, uploadId: string) => `t/${tenant}/uploads/${uploadId}/parts/`,
  uploadPart: (tenant: string, uploadId: string, partId: string) => `t/${tenant}/uploads/${uploadId}/parts/${partId}`,
  uploadEnd: (tenant: string, uploadId: string) => `t/${tenant}/uploads/${uploadId}/end.json`,

  liveCalls: 'live/',
  liveRequest: (tenant: string, callId: string) => `live/${tenant}/${callId}/request.json`,
  liveAnswer: (tenant: string, callId: string) => `live/${tenant}/${callId}/answer.json`,

  /** Of all tenants. */
  apiKeys: 'keys/',
  apiKey: (keyId: string) => `keys/${keyId}/key.json`,
  apiKeyRevoked: (keyId: string) => `keys/${keyId}/revoked.json`,
  apiKeyUsed: (keyId: string) => `keys/${keyId}/used`,
  apiKeyIndex: (tenant: string) => `t/${tenant}/idx/k/`,
  apiKeyIndexEntry: (tenant: string, createdMs: number, keyId: string) =>
    `t/${tenant}/idx/k/${invertedTime(createdMs)}-${keyId}`,

  webhookEndpoints: (tenant: string) => `t/${tenant}/endpoints/`,
  webhookEndpoint: (tenant: string, endpointId: string) => `t/${tenant}/endpoints/${endpointId}/`,
  /** Revisions count up from 1; in a listing the latest comes first. */
  webhookEndpointRevision: (tenant: string, endpointId: string, revision: number) =>
    `t/${tenant}/endpoints/${endpointId}/${String(999_999 - revision).padStart(6, '0')}.json`,
  webhookEndpointFailing: (tenant: string, endpointId: string) => `t/${tenant}/failing/${endpointId}.json`,
  webhookEvent: (tenant: string, eventId: string) => `t/${tenant}/events/${eventId}.json`,
  webhookReplaysOfEvent: (tenant: string, eventId: string) => `t/${tenant}/replays/${eventId}/`,
  webhookReplays: (tenant: string, eventId: string, receiverId: string) =>
    `t/${tenant}/replays/${eventId}/${receiverId}/`,
  webhookReplay: (tenant: string, eventId: string, receiverId: string, requestId: string) =>
    `t/${tenant}/replays/${eventId}/${receiverId}/${requestId}`,
  webhookDeliveries: (tenant: string, receiverId: string) => `t/${tenant}/deliveries/${receiverId}/`,
  webhookDelivery: (tenant: string, receiverId: string, createdMs: number, eventId: string) =>
    `t/${tenant}/deliveries/${receiverId}/${invertedTime(createdMs)}-${eventId}.json`,

  /** Where users put files: the one place whose files, folders and names are not the service's own. */
  inboxes: 'inbox/',
  inbox: (tenant: string) => `inbox/${tenant}/`,
  outbox: (
    tenant: string,
    name: string,
    id: string,
    file: 'output.jsonl' | 'errors.jsonl' | 'manifest.json' | 'rejected.json',
  ) => `outbox/${tenant}/${name}.${id}/${file}`,
});

/**
 * The folder of all objects that share a turn where tenants alternate: the two outer ones of a key or a prefix (`t/acme` of
 * `t/acme/b/x/plan.json`), which most objects of a tenant have in common. API keys have one for all, since whoever tries unknown ones
 * chooses their folders.
 */
export function turnFolderOf(key: string): string {
  const folders = key.split('/').slice(0, -1);
  return folders.slice(0, key.startsWith(keys.apiKeys) ? 1 : 2).join('/');
}

/** The shard number of a part key, or null for a name that is none. */
export function shardOfPartKey(key: string): number | null {
  const match = /\/parts\/(\d{6})\.jsonl$/.exec(key);
  return match ? Number(match[1]) : null;
}

/** An entry of the agenda. */
export interface DueItem {
  readonly tenant: string;
  readonly id: string;
  readonly dueMs: number;
  /** When it was first due: it may have been looked at since, and found to be too early. */
  readonly sinceMs: number;
}

/** What a key under `agenda/` says: when to look, at what. Null for a name that is none. */
export function parseDue(key: string): DueItem | null {
  const [, tenant, high, low, id, since] =
    /^agenda\/([a-z0-9_-]+)\/(\d{7})\/(\d{6})\.([a-z0-9_-]+)(?:\.(\d{1,13}))?$/.exec(key) ?? [];
  if (tenant === undefined || high === undefined || low === undefined || id === undefined || !isTenant(tenant))
    return null;
  const dueMs = Number(high + low);
  return { tenant, id, dueMs, sinceMs: since === undefined ? dueMs : Number(since) };
}

/** The same of an entry of earlier versions. */
export function parseOldDue(key: string): DueItem | null {
  const [, ms, tenant, id] = /^due\/(\d{13})\.([a-z0-9_-]+)\.([a-z0-9_-]+)$/.exec(key) ?? [];
  if (ms === undefined || tenant === undefined || id === undefined || !isTenant(tenant)) return null;
  return { tenant, id, dueMs: Number(ms), sinceMs: Number(ms) };
}

/** What an entry of the agenda calls a result file: without its file.json, only its batch tells where its content lies. */
export const dueResultId = (batchId: string, fileId: string): string => `${batchId}-${fileId}`;

export function parseDueResultId(id: string): { readonly batchId: string; readonly fileId: string } | null {
  const at = id.indexOf(`-${idPrefixes.file}`);
  const [batchId, fileId] = [id.slice(0, at), id.slice(at + 1)];
  return at > 0 && isId('batch', batchId) && isId('file', fileId) ? { batchId, fileId } : null;
}

/** Ids of endpoints, those of the tenants file too. */
const receiverPattern = /^[a-z0-9_]{1,80}$/;
export const isReceiverId = (text: string): boolean => receiverPattern.test(text);

const tenantPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
export const isTenant = (text: string): boolean => tenantPattern.test(text);
