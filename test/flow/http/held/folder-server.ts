import type { Dirent } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { FolderStore } from '../../../../src/adapters/folder/folder-store.js';
import { BatchRecords } from '../../../../src/app/batch-records.js';
import { plainOffer } from '../../../../src/domain/offer.js';
import { createServer, type ServerOptions } from '../../../../src/http/server.js';
import { apiShares, type ApiShares } from '../../../../src/http/shares.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { fakeWorld, keyA, type FakeWorld } from '../fake-world.js';

export interface FolderServer {
  readonly world: Omit<FakeWorld, 'store'>;
  readonly shares: ApiShares;
  readonly port: number;
  /** A call of tenant A. */
  readonly call: (route: string, init?: RequestInit) => Promise<Response>;
  /** What lies in the store's folder, temporary files too; not the space kept for removals. */
  readonly files: () => Promise<string[]>;
  /** Files of the store's folder that the process holds open. */
  readonly openFiles: () => Promise<string[]>;
}

/** A folder that is removed while it is walked through makes the walk begin anew. */
async function allUnder(folder: string): Promise<Dirent[]> {
  for (let attempt = 1; ; attempt++)
    try {
      return await readdir(folder, { recursive: true, withFileTypes: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 20) throw error;
    }
}

/** A server whose store is a folder, with room for so many bytes of tenant A's files; closed after the test. */
export async function folderServer(filesBytes: number, options: ServerOptions = {}): Promise<FolderServer> {
  const folder = await tempFolder();
  const store = await FolderStore.open(folder);
  const fake = fakeWorld(plainOffer, { filesBytes });
  const world = { ...fake, store, records: new BatchRecords(store, fake.clock) };
  const shares = apiShares(world);
  const server = createServer(world, { requestsPerMinute: null, shares, ...options });
  await server.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(async () => {
    server.server.closeAllConnections();
    await server.close();
  });
  const { port } = server.server.address() as AddressInfo;
  return {
    world,
    shares,
    port,
    call: (route, init = {}) =>
      fetch(`http://127.0.0.1:${port}${route}`, {
        ...init,
        headers: { authorization: `Bearer ${keyA}`, ...(init.headers as object) },
      }),
    files: async () => {
      const entries = await allUnder(folder);
      const names = entries.filter((entry) => !entry.isDirectory());
      const all = names.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
      return all.filter((name) => !name.startsWith('.spare')).toSorted();
    },
    openFiles: async () => {
      const fds = await readdir('/proc/self/fd');
      const links = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
      return links.filter((link) => link.startsWith(folder));
    },
  };
}
