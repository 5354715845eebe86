import { uploadEnd } from '../../contract/stored-upload.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';
import { getJson } from '../stored-json.js';

async function* under(store: ObjectStore, prefix: string): AsyncGenerator<{ path: string[]; bytes: number }> {
  for await (const { key, bytes } of listAll(store, prefix)) yield { path: key.slice(prefix.length).split('/'), bytes };
}

/** Bytes of the contents of files that are not deleted. */
async function countContents(store: ObjectStore, tenant: string): Promise<number> {
  let sum = 0;
  /** The contents of the file seen last: its tombstone sorts behind them. */
  let last = { file: '', bytes: 0 };
  for await (const { path, bytes } of under(store, keys.files(tenant))) {
    const [file = '', name = ''] = path;
    if (file !== last.file) last = { file, bytes: 0 };
    if (name === 'deleted.json') sum -= last.bytes;
    else if (!name.endsWith('.json')) {
      last.bytes += bytes;
      sum += bytes;
    }
  }
  return sum;
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

/** Bytes that a tenant's files take in the store, those being uploaded in parts too. */
export async function countFiles(store: ObjectStore, tenant: string): Promise<number> {
  const [contents, parts] = await Promise.all([countContents(store, tenant), countParts(store, tenant)]);
  return contents + parts;
}
