import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { setTimeout as sleep } from 'node:timers/promises';
import { EyrieError } from '../../domain/errors.js';
import type { ByteRange, GetOptions, ObjectBody, ObjectInfo } from '../../ports/object-store.js';
import { toStoreError, toVerdict } from './s3-failure.js';
import { pauseMs, withRetries, type RetrySettings } from './with-retries.js';

const stalledMs = 30_000;

interface Headers {
  readonly ETag?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly ContentLength?: number | undefined;
  readonly ContentRange?: string | undefined;
}

export function toInfo(key: string, { ETag, LastModified, ContentLength, ContentRange }: Headers): ObjectInfo {
  const total = ContentRange?.split('/')[1];
  const bytes = total === undefined ? ContentLength : Number(total);
  // Without a length a cut body could not be told from a whole one.
  if (ETag === undefined || bytes === undefined || !Number.isSafeInteger(bytes))
    throw new EyrieError('store_unavailable', `The store's answer about '${key}' has no length or ETag.`);
  return { key, bytes, etag: ETag, modifiedMs: LastModified?.getTime() ?? 0 };
}

const changed = (key: string): EyrieError =>
  new EyrieError('input_changed', `The object '${key}' was changed after it was accepted. Submit it again.`);

/** A body of the SDK is a stream of Node: closing it frees its connection. */
function closeBody(answer: GetObjectCommandOutput | null): void {
  (answer?.Body as { destroy?: () => void } | undefined)?.destroy?.();
}

/** The next chunk, or an error that counts as a cut connection when none comes for long. */
async function nextChunk(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('The body stalled.'), { code: 'ESTALLED' })), stalledMs);
  });
  try {
    return await Promise.race([chunks.next(), stalled]);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads objects of a bucket. A body whose connection is cut is read on from where it was. */
export class ObjectReader {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #retry: RetrySettings;

  constructor(client: S3Client, bucket: string, retry: RetrySettings) {
    this.#client = client;
    this.#bucket = bucket;
    this.#retry = retry;
  }

  async head(name: string, key: string, ifMatch?: string): Promise<ObjectInfo | null> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: name, IfMatch: ifMatch });
    try {
      return toInfo(key, await withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal })));
    } catch (error) {
      return this.#absent(error, 'look up', key);
    }
  }

  async open(name: string, key: string, { range, ifMatch, signal }: GetOptions): Promise<ObjectBody | null> {
    if (range && range.start >= range.end) return this.#empty(name, key, ifMatch);
    try {
      const answer = await this.#get(name, range, ifMatch, signal);
      const info = toInfo(key, answer);
      return { info, body: this.#body(name, info, answer, range ?? { start: 0, end: info.bytes }, signal) };
    } catch (error) {
      signal?.throwIfAborted();
      if (toVerdict(error) === 'range') return this.#empty(name, key, ifMatch);
      return this.#absent(error, 'read', key);
    }
  }

  #get(
    name: string,
    range: ByteRange | undefined,
    ifMatch: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<GetObjectCommandOutput> {
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: name,
      IfMatch: ifMatch,
      Range: range && `bytes=${range.start}-${range.end - 1}`,
    });
    return withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal }), signal);
  }

  /** A range behind the end, or of no length, cannot be asked for. */
  async #empty(name: string, key: string, ifMatch: string | undefined): Promise<ObjectBody | null> {
    const info = await this.head(name, key, ifMatch);
    return info && { info, body: (async function* () {})() };
  }

  #absent(error: unknown, action: string, key: string): null {
    const verdict = toVerdict(error);
    if (verdict === 'absent') return null;
    if (verdict === 'precondition') throw changed(key);
    throw toStoreError(error, action, key);
  }

  #body(
    name: string,
    info: ObjectInfo,
    first: GetObjectCommandOutput,
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): AsyncIterable<Uint8Array> {
    const end = Math.min(range.end, info.bytes);
    let at = range.start;
    let failures = 0;
    let answer: GetObjectCommandOutput | null = first;
    let chunks: AsyncIterator<Uint8Array> | null = null;
    // A step that waits for the store would hold the connection for as long as that takes.
    const close = (): void => closeBody(answer);
    signal?.addEventListener('abort', close, { once: true });
    if (signal?.aborted) close();
    /** Whether the answer is over, too: only then its connection serves the next call; closing the body closes it. */
    const isOver = async (): Promise<boolean> => {
      if (at < end || !answer) return false;
      try {
        chunks ??= (answer.Body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
        return (await nextChunk(chunks)).done === true;
      } catch {
        // All bytes are there.
        return false;
      }
    };
    const leave = async (): Promise<{ done: true; value: undefined }> => {
      if (!(await isOver())) closeBody(answer);
      signal?.removeEventListener('abort', close);
      await chunks?.return?.();
      answer = null;
      chunks = null;
      at = end;
      return { done: true, value: undefined };
    };
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      while (at < end) {
        try {
          answer ??= await this.#get(name, { start: at, end }, info.etag, signal);
          chunks ??= (answer.Body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
          const { value, done } = await nextChunk(chunks);
          if (done) throw Object.assign(new Error('The body ended early.'), { code: 'ECUT' });
          at += value.length;
          failures = 0;
          return { done: false, value };
        } catch (error) {
          closeBody(answer);
          answer = null;
          chunks = null;
          signal?.throwIfAborted();
          const verdict = toVerdict(error);
          // Gone or replaced while it was read: what was read and what is there now do not belong together.
          if (verdict === 'precondition' || verdict === 'absent') throw changed(info.key);
          if (verdict !== 'again' || ++failures >= this.#retry.attemptsMax) throw toStoreError(error, 'read', info.key);
          await sleep(pauseMs(failures, this.#retry));
        }
      }
      return leave();
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
  }
}
