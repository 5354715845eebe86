import { uploadEnd } from '../../contract/stored-upload.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';
import { getJson } from '../stored-json.js';

async function* under(store: ObjectStore, prefix: string): AsyncGenerator<{ path: string[]; bytes: number }> {
  for await (const { key, bytes } of listAll(store, prefix)) yield { path: key.slice(prefix.length).split('/'), bytes };
}

interface Counted {
  readonly bytes: number;
  readonly files: number;
}

/**
 * Files that are not deleted, results too, and the bytes of their contents. The record of a deletion is kept for a day, and lists of
 * the store pass over it: of those there may be as many as of files, what is more takes the place of a file.
 */
async function countContents(store: ObjectStore, tenant: string): Promise<Counted> {
  let sum = 0;
  let all = 0;
  let deleted = 0;
  /** The contents of the file seen last: its tombstone sorts behind them. */
  let last = { file: '', bytes: 0 };
  for await (const { path, bytes } of under(store, keys.files(tenant))) {
    const [file = '', name = ''] = path;
    if (file !== last.file) {
      last = { file, bytes: 0 };
      all++;
    }
    if (name === 'deleted.json') {
      sum -= last.bytes;
      deleted++;
    } else if (!name.endsWith('.json')) {
      last.bytes += bytes;
      sum += bytes;
    }
  }
  return { bytes: sum, files: Math.max(all - deleted, Math.ceil(all / 2)) };
}

/** The parts that became a file: that counts in their place. */
async function joinedParts(store: ObjectStore, tenant: string, uploadId: string): Promise<ReadonlySet<string>> {
  const end = await getJson(store, keys.uploadEnd(tenant, uploadId), uploadEnd);
  return new Set(end?.state === 'completed' ? end.partIds : []);
}

/** Bytes of the parts of uploads, but for those whose file counts: they are kept for minutes after the end of their upload. */
async function countParts(store: ObjectStore, tenant: string): Promise<number> {
  let sum = 0;
  /** The upload seen last. Its end sorts before its parts, and is read only where parts are left. */
  let last = { upload: '', ended: false, joined: null as ReadonlySet<string> | null };
  for await (const { path, bytes } of under(store, keys.uploads(tenant))) {
    const [upload = '', name, part = ''] = path;
    if (last.upload !== upload) last = { upload, ended: name === 'end.json', joined: null };
    if (name !== 'parts') continue;
    if (last.ended) last.joined ??= await joinedParts(store, tenant, upload);
    if (last.joined?.has(part) !== true) sum += bytes;
  }
  return sum;
}

/** What a tenant's files take in the store, those being uploaded in parts too. */
export async function countFiles(store: ObjectStore, tenant: string): Promise<Counted> {
  // Before the files: an upload that is completed meanwhile counts twice rather than not at all.
  let uploads = 0;
  for await (const _ of listAll(store, keys.pendingUploads(tenant))) uploads++;
  const [contents, parts] = await Promise.all([countContents(store, tenant), countParts(store, tenant)]);
  return { bytes: contents.bytes + parts, files: contents.files + uploads };
}
