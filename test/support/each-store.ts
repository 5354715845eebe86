import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { FolderStore } from '../../src/adapters/folder/folder-store.js';
import { S3Store } from '../../src/adapters/s3/s3-store.js';
import { FakeClock } from './fake-clock.js';
import { FaultyStore } from './faulty-store.js';
import { MemoryStore } from './memory-store.js';
import { makeTempFolder } from './temp-folder.js';
import { findVersitygw, Versitygw } from './versitygw.js';

/** A kind of object store; each `open` gives an empty one, with faults at will. */
export interface StoreKind {
  readonly name: string;
  /** Why it cannot be had here; empty when it can. */
  readonly missing: string;
  readonly open: () => Promise<FaultyStore>;
  /** Ends all that were opened. */
  readonly close: () => Promise<void>;
}

function folderKind(): StoreKind {
  const folders: string[] = [];
  return {
    name: 'a folder',
    missing: '',
    open: async () => {
      const folder = await makeTempFolder();
      folders.push(folder);
      return new FaultyStore(await FolderStore.open(folder));
    },
    close: async () => {
      for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function s3Kind(): Promise<StoreKind> {
  const found = await findVersitygw();
  const bucket = 'eyrie';
  let server: Versitygw | null = null;
  return {
    name: 'a real S3 server',
    missing: 'missing' in found ? found.missing : '',
    open: async () => {
      if (!('program' in found)) throw new Error(found.missing);
      server ??= await Versitygw.start(found.program, [bucket]);
      const { endpoint, credentials } = server;
      const prefix = randomUUID();
      return new FaultyStore(new S3Store({ bucket, prefix, region: 'us-east-1', endpoint, credentials }));
    },
    close: async () => {
      await server?.close();
      server = null;
    },
  };
}

/** The store in memory, a folder, and a real S3 server. */
export async function storeKinds(): Promise<StoreKind[]> {
  const memory: StoreKind = {
    name: 'memory',
    missing: '',
    open: () => Promise.resolve(new FaultyStore(new MemoryStore(new FakeClock()))),
    close: () => Promise.resolve(),
  };
  return [memory, folderKind(), await s3Kind()];
}
