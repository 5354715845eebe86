import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FolderStore } from '../../../src/adapters/folder/folder-store.js';
import { deleteBatch } from '../../../src/app/delete-batch.js';
import { deleteFile } from '../../../src/app/files/delete-file.js';
import { findFile } from '../../../src/app/files/find-file.js';
import { storeFile } from '../../../src/app/files/store-file.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { cancelUpload } from '../../../src/app/uploads/cancel-upload.js';
import { beginUpload } from '../../../src/app/uploads/begin-upload.js';
import { changeShare } from '../../../src/app/webhooks/change-share.js';
import { createEndpoint } from '../../../src/app/webhooks/create-endpoint.js';
import { deleteEndpoint } from '../../../src/app/webhooks/delete-endpoint.js';
import { listEndpoints } from '../../../src/app/webhooks/endpoint-revisions.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { createServer } from '../../../src/http/server.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { tempFolder } from '../../support/temp-folder.js';

const diskBytes = 6 * 1024 * 1024;

function mounted(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'none', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const canMount = await (async () => {
  const probe = `/tmp/eyrie-mount-${process.pid}`;
  await mkdir(probe, { recursive: true });
  const can = mounted(probe);
  if (can) execFileSync('umount', [probe]);
  await rm(probe, { recursive: true });
  return can;
})();

/** A service whose store lies on a disk of its own. Fake time goes on when nothing of the disk is under way. */
async function onSmallDisk() {
  const folder = await tempFolder();
  mounted(folder);
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  const inner = await FolderStore.open(folder);
  let underWay = 0;
  const store = new Proxy(inner, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        const result: unknown = (member as (...all: unknown[]) => unknown).apply(target, args);
        if (!(result instanceof Promise)) return result;
        underWay++;
        return result.finally(() => underWay--);
      };
    },
  });
  const service = new FakeService({ loopMs: 30_000, sequenceMs: 1 }, store);
  const { clock } = service.world;
  clock.quiet = async () => {
    for (let calm = 0; calm < 4; calm = underWay === 0 ? calm + 1 : 0) await new Promise((next) => setImmediate(next));
  };
  const filler = path.join(folder, 'filler');
  return {
    service,
    store,
    world: service.world,
    upload: async (bytes: number) => {
      async function* content(): AsyncGenerator<Uint8Array> {
        for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), 'x');
      }
      const described = () => Promise.resolve({ filename: 'a', purpose: 'batch', expires_after: undefined } as const);
      return (await storeFile(service.world, { tenant, content: content(), describe: described })).id;
    },
    fill: async () => {
      for (const size of [1_000_000, 4096, 1])
        for (let n = 0; ; n++)
          try {
            await writeFile(filler, Buffer.alloc(size, 1), { flag: 'a' });
          } catch {
            break;
          }
    },
    free: () => rm(filler),
    spares: async () => (await readdir(path.join(folder, '.spare'))).length,
  };
}

const full = { code: 'disk_full' };

describe.runIf(canMount)('on a disk without any space', () => {
  test('files, batches, uploads and webhook endpoints are read and deleted, and what is removed makes room', async () => {
    const { service, store, world, upload, fill, spares } = await onSmallDisk();
    const stopControl = service.startControl();
    service.startGenerate();
    const batch = await service.untilEnd((await service.submit([completionLine('a', 'one')])).id);
    expect(batch.status).toBe('completed');
    stopControl();
    service.stopControls();
    const big = await upload(2_000_000);
    const others = await Promise.all(Array.from({ length: 20 }, () => upload(1000)));
    const pending = await beginUpload(world, tenant, { purpose: 'batch', filename: 'a', bytes: 9, mime_type: 'a/b' });
    const webhook = {
      url: 'https://receiver.test/',
      events: ['batch.completed' as const],
      description: '',
      enabled: true,
    };
    const endpoint = await createEndpoint(world, {
      tenant,
      request: webhook,
      retryCount: 0,
      changes: changeShare(world),
    });
    await fill();
    await expect(upload(10_000)).rejects.toMatchObject(full);
    await expect(store.put('t/acme/x', Buffer.alloc(5000)), 'the spare space is for removals').rejects.toMatchObject(
      full,
    );
    const server = createServer(world);
    onTestFinished(() => server.close());
    const ready = async () => {
      await world.clock.advance(2000);
      return (await server.inject({ url: '/ready' })).json<object>();
    };
    expect(await ready()).toMatchObject({ status: 'degraded', store: 'full' });

    expect((await service.view(batch.id)).request_counts).toMatchObject({ completed: 1 });
    for (const id of [...others, big]) await deleteFile(world, tenant, id);
    await deleteBatch(world, tenant, batch.id);
    await cancelUpload(world, tenant, pending.id);
    await deleteEndpoint(world, tenant, endpoint.id);
    expect(await listEndpoints(world.store, tenant)).toEqual([]);
    expect(await findFile(world, tenant, big)).toBeNull();
    expect(await spares()).toBeLessThan(bounds.spareFiles);
    await expect(upload(10_000), 'nothing is gone yet').rejects.toMatchObject(full);

    await world.clock.advance(bounds.removalDelayMs + 1000);
    await sweepRetention(world);
    expect(await store.head(keys.fileContent(tenant, big))).toBeNull();
    expect((await store.list(keys.batch(tenant, batch.id))).objects.map(({ key }) => key)).toEqual([
      keys.batchDeleted(tenant, batch.id),
    ]);
    await upload(1_000_000);
    expect(await ready()).toMatchObject({ status: 'ready', store: 'ok' });
    expect(await spares()).toBeGreaterThan(0);
  });
});
