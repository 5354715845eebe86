import type { StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { defaultWindow } from '../../domain/completion-window.js';
import type { ErrorCode } from '../../domain/errors.js';
import { derivedId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectInfo, ObjectStore } from '../../ports/object-store.js';
import { isDeleted } from '../batch-records.js';
import { expiresAfterWindow, priceOf } from '../batch-terms.js';
import { commitSubmit } from '../commit-submit.js';
import { createJson, putJson } from '../stored-json.js';
import { publishRejection } from '../webhooks/publish-rejection.js';
import type { World } from '../world.js';
import { versionOf } from './inbox-walk.js';

/** Last segment of the dropped key, fit to be part of an object key. */
function outboxNameOf(key: string): string {
  const name = (key.replace(/\/$/, '').split('/').at(-1) ?? '')
    .replace(/\.jsonl$/, '')
    .replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return name.slice(0, 80) || 'drop';
}

async function submitDrop(world: World, tenant: string, object: ObjectInfo): Promise<void> {
  const version = versionOf(object);
  const batchId = derivedId('batch', world.idSecret, tenant, 'drop', version);
  if (await world.store.head(keys.submit(tenant, batchId))) return;
  if (await isDeleted(world.store, tenant, batchId)) return;
  await checkReadable(world.store, object);
  const fileId = derivedId('file', world.idSecret, tenant, 'drop', version);
  const createdMs = world.clock.now();
  await createJson(world.store, keys.file(tenant, fileId), {
    v: 1,
    id: fileId,
    bytes: object.bytes,
    // The bytes are the user's and may be large; the ETag pins them.
    sha256: '',
    filename: object.key.split('/').at(-1) ?? 'input.jsonl',
    purpose: 'batch',
    createdMs,
    expiresMs: null,
    contentKey: object.key,
    etag: object.etag,
    batchId: null,
  } satisfies StoredFile);
  await commitSubmit(world, {
    v: 1,
    batchId,
    tenant,
    source: 'inbox',
    createdMs,
    expiresMs: expiresAfterWindow(world, defaultWindow, createdMs),
    input: { key: object.key, etag: object.etag, bytes: object.bytes, sha256: '' },
    inputFileId: fileId,
    endpoint: null,
    validation: 'lenient',
    completionWindow: defaultWindow,
    priority: 0,
    deadlineMs: null,
    price: priceOf(world, defaultWindow),
    metadata: null,
    outputExpiresSeconds: null,
    webhooks: [],
    outboxName: outboxNameOf(object.key),
    requestHash: version,
  });
}

/** A dropped object that becomes no batch: the reason is written to the outbox, after the endpoints that ask for it were notified. */
export async function rejectDrop(
  world: World,
  tenant: string,
  object: ObjectInfo,
  code: ErrorCode,
  message: string,
): Promise<void> {
  const dropId = derivedId('drop', world.idSecret, tenant, versionOf(object));
  const key = keys.outbox(tenant, outboxNameOf(object.key), dropId, 'rejected.json');
  if (await world.store.head(key)) return;
  await publishRejection(world, tenant, { dropId, object, code, message, rejectedKey: key });
  await putJson(world.store, key, {
    source: { key: object.key, etag: object.etag, bytes: object.bytes },
    error: { code, message },
  });
  world.log.warn('inbox.rejected', { tenant, code, bytes: object.bytes });
}

/** Throws `input_unreadable`, or `input_changed`. Whoever may read its first byte may read all of it. */
async function checkReadable(store: ObjectStore, { key, etag, bytes }: ObjectInfo): Promise<void> {
  if (bytes > 0) await store.get(key, { range: { start: 0, end: 1 }, ifMatch: etag });
}

/** Makes a batch of a dropped object, or rejects it. Doing it again changes nothing. */
export async function takeDrop(world: World, tenant: string, object: ObjectInfo): Promise<void> {
  if (!object.key.endsWith('.jsonl'))
    return rejectDrop(
      world,
      tenant,
      object,
      'unsupported_value',
      'Only files whose name ends in .jsonl become batches. Rename the file, one JSON request per line.',
    );
  if (object.bytes > bounds.inputFileBytesMax)
    return rejectDrop(
      world,
      tenant,
      object,
      'file_too_large',
      `The file has ${object.bytes} bytes; at most ${bounds.inputFileBytesMax} are allowed. Split it.`,
    );
  return submitDrop(world, tenant, object);
}
