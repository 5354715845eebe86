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
import { InboxWalk, versionOf } from './inbox/inbox-walk.js';
import { sideBySide } from './side-by-side.js';
import { createJson, putJson } from './stored-json.js';
import { Lease } from './sweep/lease.js';
import { publishRejection } from './webhooks/publish-rejection.js';
import type { World } from './world.js';

/** Last segment of the dropped key, fit to be part of an object key. */
function outboxNameOf(key: string): string {
  const name = (key.split('/').at(-1) ?? '').replace(/\.jsonl$/, '').replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return name.slice(0, 80) || 'drop';
}

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
 * Watches the inboxes by polling, in one process of the installation at a time. An object is taken once two looks in a row see it
 * unchanged, so that a file still being copied into a folder is left alone. Remembers what it took only to save reads: after a
 * restart, and in the next process to watch, everything is looked at again and nothing is done twice.
 */
export class InboxWatcher {
  readonly #world: World;
  readonly #lease: Lease;
  readonly #walks = new Map<string, InboxWalk>();

  /** `pollMs`: the pause between two polls. */
  constructor(world: World, pollMs = 0) {
    this.#world = world;
    this.#lease = new Lease(world, 'inbox', pollMs);
  }

  /** One look at every inbox, unless another process looks. An inbox that fails does not keep the others from their turn. */
  poll(): Promise<void> {
    return this.#lease.run(() => this.#poll());
  }

  /** Lets another process watch at once. */
  close(): Promise<void> {
    return this.#lease.release();
  }

  async #poll(): Promise<void> {
    const tenants = new Set(this.#world.tenants.inboxTenants());
    for (const tenant of this.#walks.keys()) if (!tenants.has(tenant)) this.#walks.delete(tenant);
    const share = Math.max(bounds.inboxRememberedMin, Math.floor(bounds.inboxRemembered / tenants.size));
    await sideBySide(tenants, bounds.inboxesAtOnce, async (tenant) => {
      try {
        await this.#walkOf(tenant).look(share);
      } catch (error) {
        this.#world.log.warn('inbox.failed', { tenant, code: errorCode(error) });
      }
    });
  }

  #walkOf(tenant: string): InboxWalk {
    let walk = this.#walks.get(tenant);
    if (!walk) {
      walk = new InboxWalk(this.#world, tenant, (object) => takeDrop(this.#world, tenant, object));
      this.#walks.set(tenant, walk);
    }
    return walk;
  }
}
