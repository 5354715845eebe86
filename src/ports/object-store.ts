/** What is known of a stored object. ETags are opaque: compare, never compute. */
export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  readonly etag: string;
  /** Unix ms by the store's clock. */
  readonly modifiedMs: number;
}

export interface ObjectBody {
  readonly info: ObjectInfo;
  /** The bytes asked for. Must be read to its end or cancelled (leave the loop), else a connection stays open. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Half-open byte range. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface GetOptions {
  readonly range?: ByteRange;
  /** The object must still have this ETag; else the call throws `input_changed`. */
  readonly ifMatch?: string;
  /** Nobody needs the object any more: the call, or the body that it gave, fails soon, and what is open for it is closed at once. */
  readonly signal?: AbortSignal;
}

export type CreateResult = { readonly created: true; readonly etag: string } | { readonly created: false };

export interface StreamedObject {
  readonly etag: string;
  readonly bytes: number;
  /** Hex SHA-256 of the content. */
  readonly sha256: string;
}

/** Something that is where users put files, and that cannot be an object, or not be looked at. */
export interface SkippedEntry {
  /** Its key, or what would be; a folder's ends in '/'. Cut off when it is over-long. */
  readonly key: string;
  readonly why: 'no_rights' | 'name_too_long' | 'name_not_utf8' | 'io_error';
}

export interface ListPage {
  /** In ascending order of key (by UTF-16 code unit; keys are ASCII). */
  readonly objects: readonly ObjectInfo[];
  /**
   * Pass as `after` for the next page; null at the end. A page may hold fewer objects than asked for, and still have a next one. What
   * came after the first page of a listing was read may be missing on the later ones.
   */
  readonly next: string | null;
  /** Some of what was skipped on this page. Only below `inbox/`: elsewhere a listing gives all there is, or throws. */
  readonly skipped?: readonly SkippedEntry[];
}

export interface WriteOptions {
  /** The record of a removal, of up to 4 KiB: it may take of the space that a store keeps for when nothing else fits any more. */
  readonly forRemoval?: boolean;
}

/**
 * The object store: the truth of the service. Reads after writes are consistent. Every failure throws an `EyrieError`:
 * `store_unavailable` when trying again may help (the adapter has tried a few times already), `disk_full` when no space is left.
 */
export interface ObjectStore {
  /**
   * Writes the object only if no object has this key (`If-None-Match: *`). The one commit operation of the service: of any
   * number of calls exactly one gets `created: true`, also when their bytes are equal. A call whose own write was done but not
   * answered, and which tried it again, still is that one.
   */
  create(key: string, bytes: Uint8Array, options?: WriteOptions): Promise<CreateResult>;
  /** Writes or replaces the object. */
  put(key: string, bytes: Uint8Array, options?: WriteOptions): Promise<{ readonly etag: string }>;
  /** Writes or replaces the object from a stream of any length. If the stream throws, nothing is visible and the error is thrown on. */
  putStream(key: string, source: AsyncIterable<Uint8Array>): Promise<StreamedObject>;
  /** The whole object, or null when there is none. Reads throw `input_unreadable` for a user's own file that may not be read. */
  get(key: string, options?: GetOptions): Promise<{ readonly info: ObjectInfo; readonly bytes: Uint8Array } | null>;
  getStream(key: string, options?: GetOptions): Promise<ObjectBody | null>;
  head(key: string): Promise<ObjectInfo | null>;
  /** One page of keys that start with `prefix` and sort behind `after`. `limit` 1..1000, default 1000. */
  list(prefix: string, options?: { readonly after?: string; readonly limit?: number }): Promise<ListPage>;
  /** Removing what is not there is no error. */
  delete(key: string): Promise<void>;
  /** The same for any number of keys, with as few calls of the store as it allows. After an error some may be gone. */
  deleteMany(keys: readonly string[]): Promise<void>;
  /** Bytes that can still be written, where that can be known. */
  freeBytes?(): Promise<number>;
}
