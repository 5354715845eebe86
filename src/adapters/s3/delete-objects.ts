import { DeleteObjectCommand, DeleteObjectsCommand, type S3Client } from '@aws-sdk/client-s3';
import { bounds } from '../../domain/bounds.js';
import { toStoreError, toVerdict } from './s3-failure.js';
import { withRetries, type RetrySettings } from './with-retries.js';

/** Single deletes under way at once, where a server cannot delete many with one call. */
const sideBySideMax = 16;

/** A key as callers know it, and the name of its object in the bucket. */
export interface Deletion {
  readonly key: string;
  readonly name: string;
}

/** Deletes objects of a bucket, one or many with a call. */
export class ObjectDeleter {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #retry: RetrySettings;
  /** Found out by the first call: not every server has it, or takes the checksum that it asks for. */
  #takesMany = true;

  constructor(client: S3Client, bucket: string, retry: RetrySettings) {
    this.#client = client;
    this.#bucket = bucket;
    this.#retry = retry;
  }

  async one({ key, name }: Deletion): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: name });
    try {
      await withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal }));
    } catch (error) {
      if (toVerdict(error) !== 'absent') throw toStoreError(error, 'delete', key);
    }
  }

  async many(deletions: readonly Deletion[]): Promise<void> {
    for (let at = 0; at < deletions.length; at += bounds.storeDeletesMax)
      await this.#some(deletions.slice(at, at + bounds.storeDeletesMax));
  }

  async #some(deletions: readonly Deletion[]): Promise<void> {
    const left = this.#takesMany && deletions.length > 1 ? await this.#withOneCall(deletions) : deletions;
    for (let at = 0; at < left.length; at += sideBySideMax)
      await Promise.all(left.slice(at, at + sideBySideMax).map((deletion) => this.one(deletion)));
  }

  /** Which ones could not be deleted so; a delete of their own tries them again, and says what is wrong. */
  async #withOneCall(deletions: readonly Deletion[]): Promise<readonly Deletion[]> {
    const command = new DeleteObjectsCommand({
      Bucket: this.#bucket,
      Delete: { Objects: deletions.map(({ name }) => ({ Key: name })), Quiet: true },
    });
    try {
      const { Errors } = await withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal }));
      const failed = new Set((Errors ?? []).filter(({ Code }) => Code !== 'NoSuchKey').map(({ Key }) => Key));
      return deletions.filter(({ name }) => failed.has(name));
    } catch (error) {
      if (toVerdict(error) !== 'refused') throw toStoreError(error, 'delete', deletions[0]?.key ?? '');
      // Missing rights or a missing bucket say nothing about the call; a delete of its own meets them too.
      const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
      if (![401, 403, 404].includes(status)) this.#takesMany = false;
      return deletions;
    }
  }
}
