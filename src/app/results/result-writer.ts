import type { ManifestObject, StoredFile, SubmitObject } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { dueResultId, keys } from '../../domain/object-keys.js';
import { putContent, type DigestedContent } from '../files/content-digest.js';
import { putOnAgenda } from '../retention/agenda.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { BytePipe } from './byte-pipe.js';

const nameParts = { output: 'output', errors: 'error' } as const;

/** A result file under way: its own id, the lines on their way to the store, and what has become of them there. */
interface Begun {
  readonly fileId: string;
  readonly key: string;
  readonly dueKey: string;
  readonly pipe: BytePipe;
  readonly stored: Promise<DigestedContent>;
}

/**
 * Writes one result file of a batch under a file id of its own, so that no other finisher, and no earlier attempt of this one, ever
 * writes the same object. Begins with the first lines: a file that would be empty is not made. What is written counts once a
 * manifest names it; until then an entry of the agenda tells where to look for what a crash leaves. `keep` or `discard` ends that.
 */
export class ResultWriter {
  readonly #world: World;
  readonly #submit: SubmitObject;
  readonly #kind: 'output' | 'errors';
  #begun: Begun | null = null;

  constructor(world: World, submit: SubmitObject, kind: 'output' | 'errors') {
    this.#world = world;
    this.#submit = submit;
    this.#kind = kind;
  }

  async write(lines: Uint8Array): Promise<void> {
    this.#begun ??= await this.#begin();
    await this.#begun.pipe.write(lines);
  }

  /** Ends the file and writes its record. null: there were no lines. */
  async finish(lines: number): Promise<ManifestObject['output']> {
    if (!this.#begun) return null;
    const { fileId, key, pipe, stored } = this.#begun;
    const { store, clock } = this.#world;
    const { tenant, batchId, outputExpiresSeconds } = this.#submit;
    pipe.end();
    const content = await stored;
    const createdMs = clock.now();
    const expiresMs = outputExpiresSeconds === null ? null : createdMs + outputExpiresSeconds * 1000;
    if (expiresMs !== null) await putOnAgenda(store, expiresMs + bounds.removalDelayMs, tenant, fileId);
    await createJson(store, keys.file(tenant, fileId), {
      v: 1,
      id: fileId,
      ...content,
      filename: `${batchId}_${nameParts[this.#kind]}.jsonl`,
      purpose: 'batch_output',
      createdMs,
      expiresMs,
      contentKey: key,
      etag: null,
      batchId,
    } satisfies StoredFile);
    return { fileId, key, bytes: content.bytes, lines, sha256: content.sha256 };
  }

  /** The manifest names the file: nothing need be looked for. Never fails: an entry that stays is looked at in vain. */
  async keep(): Promise<void> {
    if (this.#begun) await this.#world.store.delete(this.#begun.dueKey).catch(() => undefined);
  }

  /** Removes what was written, as far as that can be done now; the agenda finds the rest. Never fails. */
  async discard(reason: unknown): Promise<void> {
    if (!this.#begun) return;
    const { fileId, key, dueKey, pipe, stored } = this.#begun;
    const { store, log } = this.#world;
    const { tenant, batchId } = this.#submit;
    pipe.fail(reason);
    await stored.catch(() => undefined);
    try {
      await store.delete(keys.file(tenant, fileId));
      await store.delete(key);
      await store.delete(dueKey);
    } catch (error) {
      log.warn('batch.results_left_behind', { tenant, batchId, fileId, code: errorCode(error) });
    }
  }

  async #begin(): Promise<Begun> {
    const { store, clock, ids } = this.#world;
    const { tenant, batchId } = this.#submit;
    const fileId = ids.next('file');
    const key = keys.result(tenant, batchId, fileId);
    const lookMs = clock.now() + bounds.resultLeftoverMs;
    const dueKey = keys.due(lookMs, tenant, dueResultId(batchId, fileId));
    await putOnAgenda(store, lookMs, tenant, dueResultId(batchId, fileId));
    const pipe = new BytePipe(bounds.resultUnreadBytesMax);
    const stored = putContent(store, key, pipe);
    // The writer learns it with its next lines, or at the end.
    stored.catch((error: unknown) => pipe.leave(error));
    return { fileId, key, dueKey, pipe, stored };
  }
}
