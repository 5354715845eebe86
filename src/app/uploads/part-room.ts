import type { StoredUpload } from '../../contract/stored-upload.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';

/** What is known of an upload while parts of it are coming in. */
interface Intake {
  /** What lay in the store before the first of the calls that are under way, and what has been stored here since. */
  bytes: number;
  parts: number;
  /** Over when they are known: no part is taken before. */
  readonly looked: Promise<void>;
  coming: number;
  calls: number;
}

const tooMuch = (upload: StoredUpload, limit: number): EyrieError =>
  new EyrieError(
    'invalid_value',
    `The parts of this upload would have more than ${limit} bytes together; it was declared with ${upload.bytes}. Send what was declared, or begin another upload with more 'bytes'.`,
    { param: 'data' },
  );

const tooMany = (): EyrieError =>
  new EyrieError(
    'invalid_value',
    `The upload has ${bounds.uploadPartsMax} parts already, as many as are allowed. Complete it, or begin another one with larger parts.`,
    { param: 'data', bound: 'uploadPartsMax' },
  );

async function storedParts(
  store: ObjectStore,
  tenant: string,
  uploadId: string,
): Promise<{ readonly bytes: number; readonly parts: number }> {
  let bytes = 0;
  let parts = 0;
  for await (const part of listAll(store, keys.uploadParts(tenant, uploadId))) {
    parts++;
    bytes += part.bytes;
  }
  return { bytes, parts };
}

/**
 * Keeps the parts of an upload within the bytes that it was declared with, also when many are sent at once. A process counts what
 * comes in through it as it comes; what came through others it sees after its own part, which is then taken back.
 *
 * A part may have been stored although its sender did not see the answer. So a call that says to be a repeat may bring the parts
 * to twice the declared bytes: an official client then completes its upload, and what it does not name goes with the sweep.
 */
export class PartRoom {
  readonly #store: ObjectStore;
  readonly #intakes = new Map<string, Intake>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Stores a part. Throws `invalid_value` when it is too much. When it was not stored, for whatever reason, nothing is left of it. */
  async take(
    tenant: string,
    upload: StoredUpload,
    isRepeat: boolean,
    content: AsyncIterable<Uint8Array>,
    store: (content: AsyncIterable<Uint8Array>) => Promise<void>,
    discard: () => Promise<void>,
  ): Promise<void> {
    const limit = upload.bytes * (isRepeat ? 2 : 1);
    const name = `${tenant} ${upload.id}`;
    const intake = this.#intakes.get(name) ?? this.#look(name, tenant, upload.id);
    let own = 0;
    const check = (): void => {
      if (intake.bytes + intake.coming > limit) throw tooMuch(upload, limit);
    };
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of content) {
        own += chunk.length;
        intake.coming += chunk.length;
        check();
        yield chunk;
      }
    }
    intake.calls++;
    try {
      await intake.looked;
      if (intake.parts + intake.calls > bounds.uploadPartsMax) throw tooMany();
      check();
      await store(counted());
      const all = await storedParts(this.#store, tenant, upload.id);
      if (all.bytes > limit) throw tooMuch(upload, limit);
      intake.bytes += own;
      intake.parts++;
    } catch (error) {
      await discard();
      throw error;
    } finally {
      intake.coming -= own;
      intake.calls--;
      if (intake.calls === 0) this.#intakes.delete(name);
    }
  }

  #look(name: string, tenant: string, uploadId: string): Intake {
    const looking = storedParts(this.#store, tenant, uploadId);
    const intake: Intake = {
      bytes: 0,
      parts: 0,
      looked: looking.then(({ bytes, parts }) => {
        intake.bytes = bytes;
        intake.parts = parts;
      }),
      coming: 0,
      calls: 0,
    };
    this.#intakes.set(name, intake);
    return intake;
  }
}
