import { constants, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { EyrieError } from '../../domain/errors.js';
import type { ByteRange, GetOptions, ObjectInfo } from '../../ports/object-store.js';
import { toInfo } from './file-info.js';
import { errnoOf, fromReadError } from './fs-error.js';

const chunkBytes = 256 * 1024;
// No link is followed out of the root, and a FIFO in the inbox does not block the open.
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']);

export const isAbsent = (error: unknown): boolean => absent.has(errnoOf(error) ?? '');

const changed = (key: string): EyrieError =>
  new EyrieError('input_changed', `The object '${key}' was changed after it was accepted. Submit it again.`);

/** An object's file held open, so that a replacement of the object does not change what is read. */
export class OpenObject {
  readonly info: ObjectInfo;
  readonly #handle: FileHandle;
  readonly #options: GetOptions;
  readonly #range: ByteRange;

  private constructor(handle: FileHandle, stats: BigIntStats, key: string, options: GetOptions) {
    this.#handle = handle;
    this.#options = options;
    this.info = toInfo(key, stats);
    const end = Math.min(options.range?.end ?? this.info.bytes, this.info.bytes);
    this.#range = { start: Math.min(options.range?.start ?? 0, end), end };
  }

  /** Null when there is no such object; `input_changed` when it has another ETag than asked for. */
  static async open(filePath: string, key: string, options: GetOptions): Promise<OpenObject | null> {
    let handle: FileHandle;
    try {
      handle = await open(filePath, readFlags);
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
    try {
      const stats = await handle.stat({ bigint: true });
      if (stats.isFile()) {
        const object = new OpenObject(handle, stats, key, options);
        if (options.ifMatch !== undefined && options.ifMatch !== object.info.etag) throw changed(key);
        return object;
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    return null;
  }

  /** All bytes asked for, as one piece. */
  async bytes(): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#range.end - this.#range.start);
    let at = 0;
    for await (const chunk of this) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes.subarray(0, at);
  }

  /** Reads on; the file is closed at the end, on an error and when the loop is left, also before its first step. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    let at = this.#range.start;
    const stop = async (): Promise<{ done: true; value: undefined }> => {
      at = this.#range.end;
      await this.#handle.close();
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        try {
          if (at >= this.#range.end) {
            if (this.#handle.fd >= 0) await this.#checkUnchanged();
            return await stop();
          }
          const buffer = new Uint8Array(Math.min(chunkBytes, this.#range.end - at));
          const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, at);
          // A user's file may shrink while it is read; ours never do.
          if (bytesRead === 0) {
            at = this.#range.end;
            await this.#checkUnchanged();
            return await stop();
          }
          at += bytesRead;
          return { done: false, value: buffer.subarray(0, bytesRead) };
        } catch (error) {
          await stop();
          throw fromReadError(error, this.info.key);
        }
      },
      return: stop,
    };
  }

  /** A file that a user writes into while we read gives neither its old nor its new content. */
  async #checkUnchanged(): Promise<void> {
    if (this.#options.ifMatch === undefined) return;
    const { etag } = toInfo(this.info.key, await this.#handle.stat({ bigint: true }));
    if (etag !== this.#options.ifMatch) throw changed(this.info.key);
  }
}
