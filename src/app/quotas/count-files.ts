import { uploadEnd } from '../../contract/stored-upload.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectInfo, ObjectStore } from '../../ports/object-store.js';
import { getJson } from '../stored-json.js';

async function* under(store: ObjectStore, prefix: string): AsyncGenerator<{ path: string[]; info: ObjectInfo }> {
  let after: string | null = null;
  do {
    const page = await store.list(prefix, after === null ? {} : { after });
    for (const info of page.objects) yield { path: info.key.slice(prefix.length).split('/'), info };
    after = page.next;
  } while (after !== null);
}

/** Bytes of the contents of files that are not deleted. */
async function countContents(store: ObjectStore, tenant: string): Promise<number> {
  let bytes = 0;
  /** The contents of the file seen last: its tombstone sorts behind them. */
  let last = { file: '', bytes: 0 };
  for await (const { path, info } of under(store, keys.files(tenant))) {
    const [file = '', name = ''] = path;
    if (file !== last.file) last = { file, bytes: 0 };
    if (name === 'deleted.json') bytes -= last.bytes;
    else if (!name.endsWith('.json')) {
      last.bytes += info.bytes;
      bytes += info.bytes;
    }
  }
  return bytes;
}

/** The parts that became a file: that counts in their place. */
async function joinedParts(store: ObjectStore, tenant: string, uploadId: string): Promise<ReadonlySet<string>> {
  const end = await getJson(store, keys.uploadEnd(tenant, uploadId), uploadEnd);
  return new Set(end?.state === 'completed' ? end.partIds : []);
}

/** Bytes of the parts of uploads, but for those whose file counts: they lie there for minutes after the end of their upload, too. */
async function countParts(store: ObjectStore, tenant: string): Promise<number> {
  let bytes = 0;
  /** The upload seen last. Its end sorts before its parts, and is read only where parts are left. */
  let last = { upload: '', ended: false, joined: null as ReadonlySet<string> | null };
  for await (const { path, info } of under(store, keys.uploads(tenant))) {
    const [upload = '', name, part = ''] = path;
    if (last.upload !== upload) last = { upload, ended: name === 'end.json', joined: null };
    if (name !== 'parts') continue;
    if (last.ended) last.joined ??= await joinedParts(store, tenant, upload);
    if (last.joined?.has(part) !== true) bytes += info.bytes;
  }
  return bytes;
}

/** Bytes that a tenant's files take in the store, those being uploaded in parts too. */
export async function countFiles(store: ObjectStore, tenant: string): Promise<number> {
  const [contents, parts] = await Promise.all([countContents(store, tenant), countParts(store, tenant)]);
  return contents + parts;
}
