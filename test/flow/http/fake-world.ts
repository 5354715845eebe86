import { createHash } from 'node:crypto';
import { ulid } from 'ulid';
import type { World } from '../../../src/app/world.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { idPrefixes } from '../../../src/domain/ids.js';
import type { Job, JobKind, JobQueue } from '../../../src/ports/job-queue.js';
import type { LogFields } from '../../../src/ports/log.js';
import type { GetOptions, ObjectInfo, ObjectStore } from '../../../src/ports/object-store.js';

/** An object store in memory that counts and can be told to fail. */
export class FakeStore implements ObjectStore {
  readonly objects = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();
  /** Every key that was named in a call. */
  readonly keysSeen = new Set<string>();
  down = false;
  /** Largest chunk sum held by a stream that is being written. */
  streamsOpen = 0;

  #touch(key: string): void {
    this.keysSeen.add(key);
    if (this.down) throw new EyrieError('store_unavailable', 'connect ECONNREFUSED 10.0.0.7:9000 secret-bucket');
  }

  #info(key: string): ObjectInfo | null {
    const object = this.objects.get(key);
    return object
      ? { key, bytes: object.bytes.length, etag: etagOf(object.bytes), modifiedMs: object.modifiedMs }
      : null;
  }

  async create(key: string, bytes: Uint8Array) {
    this.#touch(key);
    const present = this.objects.get(key);
    if (present && !Buffer.from(present.bytes).equals(bytes)) return { created: false as const };
    await this.put(key, bytes);
    return { created: true as const, etag: etagOf(bytes) };
  }

  async put(key: string, bytes: Uint8Array) {
    this.#touch(key);
    this.objects.set(key, { bytes: bytes.slice(), modifiedMs: Date.now() });
    return { etag: etagOf(bytes) };
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>) {
    this.#touch(key);
    this.streamsOpen++;
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of source) chunks.push(chunk.slice());
      const bytes = Buffer.concat(chunks);
      const { etag } = await this.put(key, bytes);
      return { etag, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    } finally {
      this.streamsOpen--;
    }
  }

  async get(key: string, options: GetOptions = {}) {
    this.#touch(key);
    const info = this.#info(key);
    const object = this.objects.get(key);
    if (!info || !object) return null;
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag)
      throw new EyrieError('input_changed', `${key} was replaced.`);
    const { start = 0, end = object.bytes.length } = options.range ?? {};
    return { info, bytes: object.bytes.slice(start, end) };
  }

  async getStream(key: string, options: GetOptions = {}) {
    const object = await this.get(key, options);
    return object && { info: object.info, body: inChunks(object.bytes) };
  }

  async head(key: string) {
    this.#touch(key);
    return this.#info(key);
  }

  async list(prefix: string, { after = '', limit = 1000 }: { after?: string; limit?: number } = {}) {
    this.#touch(prefix);
    const all = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted();
    const objects = all.slice(0, limit).map((key) => this.#info(key) as ObjectInfo);
    return { objects, next: all.length > limit ? (objects.at(-1)?.key ?? null) : null };
  }

  async delete(key: string) {
    this.#touch(key);
    this.objects.delete(key);
  }
}

const etagOf = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

class FakeQueue implements JobQueue {
  readonly added: { kind: JobKind; job: Job }[] = [];
  down = false;

  async add(kind: JobKind, jobs: readonly Job[]) {
    if (this.down) throw new EyrieError('queue_unavailable', 'redis is away');
    for (const job of jobs) this.added.push({ kind, job });
  }
  async has() {
    return false;
  }
  async backlog() {
    if (this.down) throw new EyrieError('queue_unavailable', 'redis is away');
    return { waiting: 0, active: 0, delayed: 0 };
  }
  consume(): never {
    throw new Error('not used');
  }
  watchStalled(): never {
    throw new Error('not used');
  }
}

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
}

export const tenantKeys: Readonly<Record<string, string>> = { ey_a_secret: 'tenant-a', ey_b_secret: 'file-b' };
export const keyA = 'ey_a_secret';
export const keyB = 'ey_b_secret';

export interface FakeWorld extends World {
  readonly store: FakeStore;
  readonly queue: FakeQueue;
  readonly lines: LogLine[];
  /** Moves the clock, ms. */
  advance(ms: number): void;
}

export function fakeWorld(): FakeWorld {
  const lines: LogLine[] = [];
  const log =
    (level: string) =>
    (event: string, fields: LogFields = {}) => {
      lines.push({ level, event, fields });
    };
  let skewMs = 0;
  return {
    store: new FakeStore(),
    queue: new FakeQueue(),
    lines,
    advance: (ms) => {
      skewMs += ms;
    },
    progress: {
      record: async () => 0,
      read: async () => new Map(),
      forget: async () => {},
      reportSpeed: async () => {},
      meanSpeed: async () => 0,
    },
    tenants: {
      tenantOfKey: async (key) => tenantKeys[key] ?? null,
      webhookEndpoints: async () => [],
      signingSecrets: async () => [],
      inboxTenants: () => [],
    },
    clock: {
      now: () => Date.now() + skewMs,
      monotonic: () => performance.now() + skewMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          const timer = setTimeout(resolve, ms);
          signal?.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve();
          });
        }),
    },
    ids: { next: (kind) => idPrefixes[kind] + ulid().toLowerCase() },
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    model: {
      id: 'h2oai/h2ogpt-oig-oasst1-falcon-40b',
      aliases: ['falcon'],
      created: 1_767_225_600,
      ownedBy: 'h2oai',
      contextTokens: 2048,
      vocabSize: 65_024,
      endTokenId: 11,
      digest: 'sha256:0',
    },
    idSecret: 'test-id-secret',
  };
}
