import type { StoredFile } from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { defaultWindow } from '../domain/completion-window.js';
import { errorCode, type ErrorCode } from '../domain/errors.js';
import { derivedId } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import type { ObjectInfo } from '../ports/object-store.js';
import { isDeleted } from './batch-records.js';
import { expiresAfterWindow, priceOf } from './batch-terms.js';
import { commitSubmit } from './commit-submit.js';
import { createJson, putJson } from './stored-json.js';
import { publishRejection } from './webhooks/publish-rejection.js';
import type { World } from './world.js';

/** Names that editors and copying tools use for files that are not ready. */
const unfinished = /(^|\/)\.|\.(tmp|part|partial|swp)$|~$/;

/** Last segment of the dropped key, fit to be part of an object key. */
function outboxNameOf(key: string): string {
  const name = (key.split('/').at(-1) ?? '').replace(/\.jsonl$/, '').replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return name.slice(0, 80) || 'drop';
}

/** One dropped object version is one batch, however often it is seen. */
const versionOf = ({ key, etag, bytes }: ObjectInfo): string => `${key}\0${etag}\0${bytes}`;

async function submitDrop(world: World, tenant: string, object: ObjectInfo): Promise<void> {
  const version = versionOf(object);
  const batchId = derivedId('batch', world.idSecret, tenant, 'drop', version);
  if (await world.store.head(keys.submit(tenant, batchId))) return;
  if (await isDeleted(world.store, tenant, batchId)) return;
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

/** A dropped object that becomes no batch: the reason lies in the outbox, and endpoints that ask for it are told before. */
async function rejectDrop(
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

async function takeDrop(world: World, tenant: string, object: ObjectInfo): Promise<void> {
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

/**
 * Watches the inboxes by polling. An object is taken once two looks in a row see it unchanged, so that a file still being copied
 * into a folder is left alone. Remembers what it took only to save reads: after a restart everything is looked at again and
 * nothing is done twice.
 */
export class InboxWatcher {
  readonly #world: World;
  readonly #seen = new Map<string, 'once' | 'taken'>();

  constructor(world: World) {
    this.#world = world;
  }

  /** One look at every inbox. */
  async poll(): Promise<void> {
    const present = new Set<string>();
    for (const tenant of this.#world.tenants.inboxTenants()) {
      let after: string | null = null;
      do {
        const page = await this.#world.store.list(keys.inbox(tenant), after === null ? {} : { after });
        for (const object of page.objects) if (!unfinished.test(object.key)) await this.#look(tenant, object, present);
        after = page.next;
      } while (after !== null);
    }
    for (const version of this.#seen.keys()) if (!present.has(version)) this.#seen.delete(version);
  }

  async #look(tenant: string, object: ObjectInfo, present: Set<string>): Promise<void> {
    const version = versionOf(object);
    present.add(version);
    const state = this.#seen.get(version);
    if (state === undefined) this.#seen.set(version, 'once');
    if (state !== 'once') return;
    try {
      await takeDrop(this.#world, tenant, object);
      this.#seen.set(version, 'taken');
    } catch (error) {
      // Left as it is: the next look tries again.
      this.#world.log.warn('inbox.failed', { tenant, code: errorCode(error) });
    }
  }
}
