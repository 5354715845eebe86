import type { StoredUpload } from '../../contract/stored-upload.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';
import { Intake } from './intake.js';

/** A part as it comes in. */
export interface IncomingPart {
  readonly key: string;
  /** The client says that it has sent this call before. */
  readonly isRepeat: boolean;
  readonly content: AsyncIterable<Uint8Array>;
  /** Stores what it is given under the key. */
  readonly store: (content: AsyncIterable<Uint8Array>) => Promise<void>;
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

/**
 * Keeps the parts of an upload within the bytes that it was declared with, and within their number, also when many are sent at once. A
 * process counts what comes in through it as it comes, and keeps the count, so that a part does not cost a listing of all; what came
 * through others it sees a little later. Whatever they took together, an upload is completed with parts of its declared bytes only.
 *
 * A part may have been stored although its sender did not see the answer. So a call that says to be a repeat may bring the parts
 * to twice the declared bytes: an official client then completes its upload, and what it does not name goes with the sweep.
 */
export class PartRoom {
  readonly #world: Pick<World, 'store' | 'clock'>;
  /** By tenant and upload; those of the last part stand last. */
  readonly #intakes = new Map<string, Map<string, Intake>>();

  constructor(world: Pick<World, 'store' | 'clock'>) {
    this.#world = world;
  }

  /** Stores a part. Throws `invalid_value` when it is too much. When it was not stored, for whatever reason, nothing is left of it. */
  async take(tenant: string, upload: StoredUpload, part: IncomingPart): Promise<void> {
    const limit = upload.bytes * (part.isRepeat ? 2 : 1);
    const intake = this.#intake(tenant, upload.id);
    let own = 0;
    let isTaken = false;
    const isFull = (more: number): boolean => intake.bytes + intake.coming + more > limit;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of part.content) {
        if (isFull(chunk.length)) await intake.reconsider();
        if (isFull(chunk.length)) throw tooMuch(upload, limit);
        own += chunk.length;
        intake.coming += chunk.length;
        yield chunk;
      }
    }
    const isTooMany = (): boolean => intake.parts + intake.taking >= bounds.uploadPartsMax;
    intake.begin(part.key);
    try {
      await intake.ready();
      if (isTooMany() || isFull(0)) await intake.reconsider();
      if (isTooMany()) throw tooMany();
      if (isFull(0)) throw tooMuch(upload, limit);
      intake.taking++;
      isTaken = true;
      await part.store(counted());
      // Parts of other processes may have been seen meanwhile.
      if (intake.bytes + own > limit) throw tooMuch(upload, limit);
      intake.stored(own);
    } catch (error) {
      await this.#discard(part.key, intake);
      throw error;
    } finally {
      intake.coming -= own;
      if (isTaken) intake.taking--;
      intake.end(part.key);
    }
  }

  async #discard(key: string, intake: Intake): Promise<void> {
    try {
      await this.#world.store.delete(key);
    } catch (error) {
      intake.doubt();
      throw error;
    }
  }

  /** As many are kept of a tenant as it may have open, so that those of its uploads drop none that is still needed. */
  #intake(tenant: string, uploadId: string): Intake {
    const ofTenant = this.#intakes.get(tenant) ?? new Map<string, Intake>();
    this.#intakes.set(tenant, ofTenant);
    const intake = ofTenant.get(uploadId) ?? new Intake(this.#world, tenant, uploadId);
    ofTenant.delete(uploadId);
    for (const [oldest, { isIdle }] of ofTenant) {
      if (ofTenant.size < bounds.uploadsOpenMax) break;
      if (isIdle) ofTenant.delete(oldest);
    }
    ofTenant.set(uploadId, intake);
    return intake;
  }
}
