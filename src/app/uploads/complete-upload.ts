import { createHash } from 'node:crypto';
import type { CompleteUploadRequest, UploadObject } from '../../contract/upload-object.js';
import { uploadEnd, type StoredUpload, type UploadEnd } from '../../contract/stored-upload.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { commitFile } from '../files/commit-file.js';
import { putContent } from '../files/content-digest.js';
import { noSuchFile } from '../files/find-file.js';
import { discardContent } from '../files/store-file.js';
import { putOnAgenda, takeFromAgenda } from '../retention/agenda.js';
import { createJson, getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { assertPending, loadUpload, toUploadObject } from './find-upload.js';

type Writer = Pick<World, 'store' | 'clock' | 'log' | 'ids'>;
type Completed = Extract<UploadEnd, { state: 'completed' }>;

/** Parts looked up at once. */
const readsMax = 32;

const wrongPart = (at: number, why: string): EyrieError =>
  new EyrieError('invalid_value', `Invalid value for 'part_ids[${at}]': ${why}.`, { param: `part_ids[${at}]` });

/** Keys of the parts in their order. Throws unless all exist and together have the bytes that were declared. */
async function checkParts(
  world: Writer,
  tenant: string,
  upload: StoredUpload,
  partIds: readonly string[],
): Promise<string[]> {
  const seen = new Set<string>();
  for (const [at, id] of partIds.entries()) {
    if (!isId('part', id)) throw wrongPart(at, 'it is no part of this upload');
    if (seen.has(id)) throw wrongPart(at, 'it is named twice');
    seen.add(id);
  }
  const partKeys = partIds.map((id) => keys.uploadPart(tenant, upload.id, id));
  let bytes = 0;
  for (let at = 0; at < partKeys.length; at += readsMax) {
    const infos = await Promise.all(partKeys.slice(at, at + readsMax).map((key) => world.store.head(key)));
    for (const [offset, info] of infos.entries()) {
      if (!info) throw wrongPart(at + offset, 'it is no part of this upload');
      bytes += info.bytes;
    }
  }
  if (bytes !== upload.bytes)
    throw new EyrieError(
      'invalid_value',
      `The parts have ${bytes} bytes together, but the upload was declared with ${upload.bytes}.`,
      { param: 'part_ids' },
    );
  return partKeys;
}

/** The parts one after the other; throws at its end when the content is not what `md5` says. */
async function* joined(world: Writer, partKeys: readonly string[], md5: string | null): AsyncGenerator<Uint8Array> {
  const hash = createHash('md5');
  for (const [at, key] of partKeys.entries()) {
    const part = await world.store.getStream(key);
    if (!part) throw wrongPart(at, 'it is no part of this upload');
    for await (const chunk of part.body) {
      if (md5 !== null) hash.update(chunk);
      yield chunk;
    }
  }
  const found = hash.digest('hex');
  if (md5 !== null && found !== md5.toLowerCase())
    throw new EyrieError('invalid_value', `The content has the MD5 ${found}, not ${md5}. Send the parts again.`, {
      param: 'md5',
    });
}

/** The file follows from the end record alone, so a completion that was stopped half-way is finished by its repeat. */
async function publish(world: Writer, tenant: string, upload: StoredUpload, end: Completed): Promise<UploadObject> {
  const expires =
    upload.fileExpiresSeconds === null
      ? undefined
      : { anchor: 'created_at' as const, seconds: upload.fileExpiresSeconds };
  const file = await commitFile(
    world,
    tenant,
    end.fileId,
    { filename: upload.filename, purpose: upload.purpose, expires_after: expires },
    { bytes: upload.bytes, sha256: end.sha256, ...(end.chunks ? { chunks: end.chunks } : {}) },
    end.endedMs,
  );
  await world.store.delete(keys.pendingUpload(tenant, upload.id));
  return toUploadObject({ upload, end }, file);
}

/** Throws `not_found` when the file was removed since: a repeat must not bring it back without its content. */
async function publishAgain(
  world: Writer,
  tenant: string,
  upload: StoredUpload,
  end: Completed,
): Promise<UploadObject> {
  if (!(await world.store.head(keys.fileContent(tenant, end.fileId)))) throw noSuchFile(end.fileId);
  return publish(world, tenant, upload, end);
}

const sameParts = (end: UploadEnd | null, partIds: readonly string[]): end is Completed =>
  end?.state === 'completed' &&
  end.partIds.length === partIds.length &&
  end.partIds.every((id, at) => id === partIds[at]);

/**
 * Joins the named parts into a file. Each call writes a content of its own, under a new id; the end record names the one that
 * counts, and every call with the same parts gives its file. Throws `invalid_value` for unknown parts, a wrong sum or a
 * wrong MD5 (the upload then stays open), `upload_ended` when it was cancelled, has expired or was completed with other parts.
 */
export async function completeUpload(
  world: Writer,
  tenant: string,
  uploadId: string,
  request: CompleteUploadRequest,
): Promise<UploadObject> {
  const partIds = request.part_ids;
  const found = await loadUpload(world, tenant, uploadId);
  const { upload } = found;
  if (sameParts(found.end, partIds)) return publishAgain(world, tenant, upload, found.end);
  assertPending(found);
  const partKeys = await checkParts(world, tenant, upload, partIds);
  const fileId = world.ids.next('file');
  const leftoverMs = world.clock.now() + bounds.uploadLeftoverMs;
  await putOnAgenda(world.store, leftoverMs, tenant, fileId);
  const content = await putContent(
    world.store,
    keys.fileContent(tenant, fileId),
    joined(world, partKeys, request.md5 ?? null),
  );
  const end: Completed = {
    v: 1,
    state: 'completed',
    endedMs: world.clock.now(),
    partIds: [...partIds],
    fileId,
    sha256: content.sha256,
    ...(content.chunks ? { chunks: content.chunks } : {}),
  };
  const endKey = keys.uploadEnd(tenant, uploadId);
  if ((await createJson(world.store, endKey, end)).created) {
    world.log.info('upload.completed', { tenant, uploadId, fileId, bytes: upload.bytes, parts: partIds.length });
    const completed = await publish(world, tenant, upload, end);
    await takeFromAgenda(world, leftoverMs, tenant, fileId);
    return completed;
  }
  const earlier = await getJson(world.store, endKey, uploadEnd);
  if (earlier && (earlier.state !== 'completed' || earlier.fileId !== fileId))
    await discardContent(world, tenant, fileId, leftoverMs);
  if (sameParts(earlier, partIds)) return publishAgain(world, tenant, upload, earlier);
  assertPending({ upload, end: earlier });
  throw new EyrieError('store_unavailable', 'The end of the upload could not be read back. Try again.');
}
