import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { toVerdict } from './s3-failure.js';
import { withRetries, type RetrySettings } from './with-retries.js';

const tagName = 'eyrie-write';

/** One write of an object. The tag is stored with it as metadata, and tells whether a write without an answer was done. */
export interface Write {
  readonly metadata: Readonly<Record<string, string>>;
}

export const newWrite = (): Write => ({ metadata: { [tagName]: randomUUID() } });

/** The ETag of the object that this write made; null when there is none, or another write's. */
export async function presentWrite(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string },
  retry: RetrySettings,
  { metadata }: Write,
): Promise<string | null> {
  try {
    const { ETag, Metadata } = await withRetries(retry, (abortSignal) =>
      client.send(new HeadObjectCommand(target), { abortSignal }),
    );
    return Metadata?.[tagName] === metadata[tagName] ? (ETag ?? '') : null;
  } catch (error) {
    if (toVerdict(error) === 'absent') return null;
    throw error;
  }
}
