import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { withRetries, type RetrySettings } from './with-retries.js';
import { newWrite, presentWrite, type Write } from './write-tag.js';

/** One multipart upload: parts in their order, then `complete` or `abort`. Each part is sent from memory, so that it can be sent again. */
export class MultipartUpload {
  readonly #client: S3Client;
  readonly #target: { readonly Bucket: string; readonly Key: string };
  readonly #retry: RetrySettings;
  readonly #uploadId: string;
  /** Stored with the object: tells whether a Complete without an answer was done. */
  readonly #write: Write;
  readonly #etags: string[] = [];

  private constructor(
    client: S3Client,
    target: { Bucket: string; Key: string },
    retry: RetrySettings,
    uploadId: string,
    write: Write,
  ) {
    this.#client = client;
    this.#target = target;
    this.#retry = retry;
    this.#uploadId = uploadId;
    this.#write = write;
  }

  static async begin(client: S3Client, bucket: string, name: string, retry: RetrySettings): Promise<MultipartUpload> {
    const target = { Bucket: bucket, Key: name };
    const write = newWrite();
    const { UploadId } = await withRetries(retry, (abortSignal) =>
      client.send(new CreateMultipartUploadCommand({ ...target, Metadata: write.metadata }), { abortSignal }),
    );
    if (UploadId === undefined) throw new Error('The store began an upload without an id.');
    return new MultipartUpload(client, target, retry, UploadId, write);
  }

  async send(bytes: Uint8Array): Promise<void> {
    const command = new UploadPartCommand({
      ...this.#target,
      UploadId: this.#uploadId,
      PartNumber: this.#etags.length + 1,
      Body: bytes,
    });
    const { ETag } = await withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal }));
    this.#etags.push(ETag ?? '');
  }

  /** Makes the object visible; its ETag. */
  async complete(): Promise<string> {
    const command = new CompleteMultipartUploadCommand({
      ...this.#target,
      UploadId: this.#uploadId,
      MultipartUpload: { Parts: this.#etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 })) },
    });
    try {
      const { ETag } = await withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal }));
      return ETag ?? '';
    } catch (error) {
      // A lost answer: the upload is gone because it was completed, and the object says whether by us.
      const present = await presentWrite(this.#client, this.#target, this.#retry, this.#write).catch(() => null);
      if (present !== null) return present;
      throw error;
    }
  }

  /** Frees the parts. Never fails: the store's own rule for old uploads is the second net. */
  async abort(): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#target, UploadId: this.#uploadId });
    await withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal })).catch(() => undefined);
  }
}
