import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { turnFolderOf } from '../../domain/object-keys.js';
import type {
  CreateResult,
  GetOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StreamedObject,
} from '../../ports/object-store.js';
import { CallTurns } from './call-turns.js';
import { ObjectDeleter, type Deletion } from './delete-objects.js';
import { toObjectName, toPrefix } from './object-name.js';
import { ObjectReader, toInfo } from './object-reader.js';
import { toStoreError, toVerdict } from './s3-failure.js';
import { SourceError, uploadStream } from './stream-upload.js';
import { defaultRetrySettings, withRetries, type RetrySettings } from './with-retries.js';
import { newWrite, presentWrite, type Write } from './write-tag.js';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Put before every key; all of the bucket when empty or absent. */
  readonly prefix?: string;
  readonly region: string;
  /** URL of an S3-compatible server; absent for AWS. */
  readonly endpoint?: string;
  /** Default: found as every AWS client finds them (environment, files, role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly retry?: Partial<RetrySettings>;
  /** Connections at once: for small calls, for bodies that are read, and for bodies that are written. */
  readonly sockets?: { readonly small?: number; readonly reads?: number; readonly writes?: number };
}

const connectMs = 3000;

/**
 * Connections to the store at once, by what they are for. Small calls are over in a moment; a body that is read or written is under
 * way for as long as a user takes, and must not stand in the way of those.
 */
const socketsMax = Object.freeze({ small: 256, reads: 256, writes: 128 });

function toClient(
  { region, endpoint, credentials, prefix }: S3StoreOptions,
  turns: CallTurns,
  sockets: number,
): S3Client {
  // Servers other than AWS do not all take the checksums that the SDK sends by default.
  const checksums = endpoint === undefined ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED';
  const client = new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    // Attempts are ours (with-retries.ts): the SDK's would not know about conflicts and bodies that are cut.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: connectMs,
      httpAgent: { maxSockets: sockets },
      httpsAgent: { maxSockets: sockets },
    },
  });
  const prefixLength = toPrefix(prefix ?? '').length;
  client.middlewareStack.add(
    (next) => async (args) => {
      const { Key, Prefix } = args.input as { readonly Key?: string; readonly Prefix?: string };
      await turns.enter(turnFolderOf((Key ?? Prefix ?? '').slice(prefixLength)));
      return next(args);
    },
    { step: 'initialize', priority: 'high', name: 'callTurns' },
  );
  return client;
}

/**
 * A bucket of S3 or of a server that speaks its protocol. Conditions are used on single PUTs and on reads only; many servers get
 * the others wrong.
 */
export class S3Store implements ObjectStore {
  readonly #client: S3Client;
  readonly #writes: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #retry: RetrySettings;
  readonly #reader: ObjectReader;
  /** Reads bodies as long as their reader takes. */
  readonly #streams: ObjectReader;
  readonly #deleter: ObjectDeleter;

  constructor(options: S3StoreOptions) {
    const sockets = { ...socketsMax, ...options.sockets };
    const turns = new CallTurns();
    this.#client = toClient(options, turns, sockets.small);
    this.#writes = toClient(options, turns, sockets.writes);
    this.#bucket = options.bucket;
    this.#prefix = toPrefix(options.prefix ?? '');
    this.#retry = { ...defaultRetrySettings, ...options.retry };
    this.#reader = new ObjectReader(this.#client, this.#bucket, this.#retry);
    this.#streams = new ObjectReader(toClient(options, turns, sockets.reads), this.#bucket, this.#retry);
    this.#deleter = new ObjectDeleter(this.#client, this.#bucket, this.#retry);
  }

  async create(key: string, bytes: Uint8Array): Promise<CreateResult> {
    const write = newWrite();
    try {
      return { created: true, ...(await this.#put(key, bytes, write)) };
    } catch (error) {
      if (toVerdict(error) !== 'precondition') throw toStoreError(error, 'create', key);
    }
    // Perhaps it is our own write that is in the way, whose answer was lost before it was tried again.
    const target = { Bucket: this.#bucket, Key: toObjectName(this.#prefix, key) };
    try {
      const etag = await presentWrite(this.#client, target, this.#retry, write);
      return etag === null ? { created: false } : { created: true, etag };
    } catch (error) {
      throw toStoreError(error, 'create', key);
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<{ readonly etag: string }> {
    try {
      return await this.#put(key, bytes);
    } catch (error) {
      throw toStoreError(error, 'write', key);
    }
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>): Promise<StreamedObject> {
    const name = toObjectName(this.#prefix, key);
    const target = {
      client: this.#writes,
      bucket: this.#bucket,
      name,
      retry: this.#retry,
      putSmall: (bytes: Uint8Array) => this.#put(key, bytes, undefined, this.#writes),
    };
    try {
      return await uploadStream(target, source);
    } catch (error) {
      throw error instanceof SourceError ? error.cause : toStoreError(error, 'write', key);
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<{ info: ObjectInfo; bytes: Uint8Array } | null> {
    const found = await this.#reader.open(toObjectName(this.#prefix, key), key, options);
    return found && { info: found.info, bytes: await collect(found) };
  }

  async getStream(key: string, options: GetOptions = {}): Promise<ObjectBody | null> {
    return this.#streams.open(toObjectName(this.#prefix, key), key, options);
  }

  async head(key: string): Promise<ObjectInfo | null> {
    return this.#reader.head(toObjectName(this.#prefix, key), key);
  }

  async list(prefix: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> {
    const { after, limit = bounds.storeListPageMax } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > bounds.storeListPageMax)
      throw new EyrieError('invalid_value', `Invalid limit ${limit}: 1 to ${bounds.storeListPageMax} is allowed.`, {
        param: 'limit',
      });
    const command = new ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix: this.#prefix + prefix,
      MaxKeys: limit,
      ...(after ? { StartAfter: this.#prefix + after } : {}),
    });
    try {
      const page = await withRetries(this.#retry, (abortSignal) => this.#client.send(command, { abortSignal }));
      const objects = (page.Contents ?? []).map((entry) =>
        toInfo((entry.Key ?? '').slice(this.#prefix.length), { ...entry, ContentLength: entry.Size }),
      );
      const next = page.IsTruncated ? (objects.at(-1)?.key ?? null) : null;
      // The server's order decides where the next page starts; within a page ours holds.
      return { objects: objects.toSorted((a, b) => (a.key < b.key ? -1 : 1)), next };
    } catch (error) {
      throw toStoreError(error, 'list', prefix);
    }
  }

  async delete(key: string): Promise<void> {
    await this.#deleter.one(this.#toDeletion(key));
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    await this.#deleter.many(keys.map((key) => this.#toDeletion(key)));
  }

  #toDeletion(key: string): Deletion {
    return { key, name: toObjectName(this.#prefix, key) };
  }

  /** With `creation`, only where nothing is. */
  async #put(key: string, bytes: Uint8Array, creation?: Write, client = this.#client): Promise<{ etag: string }> {
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: toObjectName(this.#prefix, key),
      Body: bytes,
      ...(creation ? { IfNoneMatch: '*', Metadata: creation.metadata } : {}),
    });
    const { ETag } = await withRetries(this.#retry, (abortSignal) => client.send(command, { abortSignal }));
    return { etag: ETag ?? '' };
  }
}

async function collect({ body }: ObjectBody): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}
