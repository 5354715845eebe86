import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { bounds } from '../../domain/bounds.js';
import type { StreamedObject } from '../../ports/object-store.js';
import { MultipartUpload } from './multipart-upload.js';
import type { RetrySettings } from './with-retries.js';

const partsMax = 10_000;

/** An error of the stream that is uploaded: the caller's own, not one of the store. */
export class SourceError extends Error {
  constructor(cause: unknown) {
    super('The source of an upload failed.', { cause });
  }
}

/** Cuts a stream into parts of equal size, the last one shorter. Each is a buffer of its own. */
async function* toParts(source: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer> {
  let part = Buffer.allocUnsafe(partBytes);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const taken = Math.min(partBytes - filled, chunk.length - at);
      part.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled < partBytes) continue;
      yield part;
      part = Buffer.allocUnsafe(partBytes);
      filled = 0;
    }
  }
  yield part.subarray(0, filled);
}

async function* ownErrors(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    throw new SourceError(error);
  }
}

export interface StreamTarget {
  readonly client: S3Client;
  readonly bucket: string;
  readonly name: string;
  readonly retry: RetrySettings;
  readonly putSmall: (bytes: Uint8Array) => Promise<{ readonly etag: string }>;
}

/**
 * Writes a stream: as one PUT when it fits in a part, else as a multipart upload. While a part is sent the next one is filled, so
 * two parts are in memory. A failure aborts the upload; nothing of it is visible then.
 */
export async function uploadStream(target: StreamTarget, source: AsyncIterable<Uint8Array>): Promise<StreamedObject> {
  const { client, bucket, name, retry, putSmall } = target;
  const hash = createHash('sha256');
  let bytes = 0;
  let count = 0;
  let upload: MultipartUpload | null = null;
  let sending: Promise<void> = Promise.resolve();
  try {
    for await (const part of toParts(ownErrors(source), bounds.multipartPartBytes)) {
      hash.update(part);
      bytes += part.length;
      if (++count > partsMax) throw new Error(`The stream is longer than ${partsMax} parts.`);
      if (part.length < bounds.multipartPartBytes) {
        if (!upload) return { ...(await putSmall(part)), bytes, sha256: hash.digest('hex') };
        if (part.length === 0) break;
      }
      upload ??= await MultipartUpload.begin(client, bucket, name, retry);
      await sending;
      sending = upload.send(part);
      // It is awaited before the next one; until then its failure must not count as unhandled.
      sending.catch(() => undefined);
    }
    await sending;
    if (!upload) throw new Error('A stream without parts.');
    return { etag: await upload.complete(), bytes, sha256: hash.digest('hex') };
  } catch (error) {
    await sending.catch(() => undefined);
    await upload?.abort();
    throw error;
  }
}
