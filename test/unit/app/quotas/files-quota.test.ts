import { describe, expect, test } from 'vitest';
import { storeFile } from '../../../../src/app/files/store-file.js';
import { FilesQuota } from '../../../../src/app/quotas/files-quota.js';
import { toWorld } from '../../../../src/app/world.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { fakeWorld } from '../../../support/fake-world.js';
import { mend } from '../../../support/store-faults.js';

const tenant = 'acme';
const kib = 1024;
const usedUp = { code: 'insufficient_quota' };

/** Two processes of the API over one store and one Redis. */
function twoProcesses(filesBytes: number) {
  const world = fakeWorld({ quotas: { filesBytes } });
  const another = toWorld({ ...world, shared: world.shared.another() });
  const quotas = [world, another].map((of) => new FilesQuota(of));
  const [here, there] = quotas as [FilesQuota, FilesQuota];
  /** Uploads a file of chunks, with a pause before each. */
  const upload = (quota: FilesQuota, chunks: readonly number[], pauseMs = 0) => {
    async function* content(): AsyncGenerator<Uint8Array> {
      for (const bytes of chunks) {
        if (pauseMs > 0) await world.clock.sleep(pauseMs);
        yield Buffer.alloc(bytes);
      }
    }
    const description = { filename: 'a', purpose: 'batch', expires_after: undefined } as const;
    return quota.metered(tenant, 'file', content(), (metered) =>
      storeFile(world, { tenant, content: metered, describe: () => Promise.resolve(description) }),
    );
  };
  const stored = async (): Promise<number> => {
    const { objects } = await world.store.list(`t/${tenant}/files/`);
    return objects.filter(({ key }) => key.endsWith('/content')).reduce((sum, { bytes }) => sum + bytes, 0);
  };
  const lists = () => world.store.calls.filter(({ operation, key }) => operation === 'list' && key.includes('/files/'));
  return { world, another, here, there, upload, stored, lists };
}

describe('the quota of bytes', () => {
  test('holds over all processes at once, without a count by each', async () => {
    const { here, there, upload, lists } = twoProcesses(1000);
    await upload(here, [600]);
    await expect(upload(there, [401])).rejects.toMatchObject(usedUp);
    await upload(there, [300]);
    await expect(here.check(tenant, 101)).rejects.toMatchObject(usedUp);
    await here.check(tenant, 100);
    expect(lists()).toHaveLength(1);
  });

  test('is counted once a minute in the whole installation', async () => {
    const { world, here, there, upload, lists } = twoProcesses(1000);
    await upload(here, [600]);
    for (let n = 0; n < 10; n++) {
      for (const quota of [here, there, here]) await quota.check(tenant, 1);
      await world.clock.advance(bounds.filesCountedMs / 2);
    }
    expect(lists().length).toBeLessThanOrEqual(5);
  });

  test('is passed by no mix of uploads, however they and the counts lie in time', async () => {
    const limit = 10_000 * kib;
    for (let seed = 1; seed <= 20; seed++) {
      let state = seed;
      const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
      const { world, here, there, upload, stored } = twoProcesses(limit);
      let refused = 0;
      world.store.fault = ({ operation }) =>
        operation === 'list' || operation === 'putStream' ? { delayMs: Math.floor(random() * 20_000) } : undefined;
      const uploads = Array.from({ length: 30 }, async () => {
        await world.clock.sleep(random() * 600_000);
        const chunks = Array.from({ length: 1 + Math.floor(random() * 8) }, () => Math.ceil(random() * 300 * kib));
        await upload(random() < 0.5 ? here : there, chunks, random() * 40_000).catch(() => refused++);
      });
      await world.clock.advance(3_600_000);
      await Promise.all(uploads);
      mend(world.store);
      expect(await stored(), `seed ${seed}`).toBeLessThanOrEqual(limit);
      expect(await stored(), `seed ${seed}`).toBeGreaterThan(limit / 2);
      expect(refused).toBeGreaterThan(0);
    }
  });

  test('gives back what was not stored', async () => {
    const { world, here, there, upload } = twoProcesses(1000);
    world.store.fault = ({ operation }) => (operation === 'putStream' ? { fail: 'before' } : undefined);
    await expect(upload(here, [900])).rejects.toMatchObject({ code: 'store_unavailable' });
    mend(world.store);
    await expect(here.taking(tenant, 900, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(upload(there, [900, 900])).rejects.toMatchObject(usedUp);
    await there.check(tenant, 1000);
  });

  test('sees an upload that is still under way, in a new count too', async () => {
    const { world, here, there, upload } = twoProcesses(4000 * kib);
    const chunks = Array.from({ length: 3 }, () => bounds.filesToldBytes);
    const slow = upload(here, chunks, bounds.filesCountedMs);
    await world.clock.advance(2 * bounds.filesCountedMs + 1);
    await expect(there.check(tenant, 2000 * kib)).rejects.toMatchObject(usedUp);
    await there.check(tenant, 1900 * kib);
    await world.clock.advance(bounds.filesCountedMs);
    await slow;
    await expect(there.check(tenant, 1000 * kib)).rejects.toMatchObject(usedUp);
    await there.check(tenant, 900 * kib);
  });

  test('is counted by each process alone while Redis is away, and together again after it', async () => {
    const { world, another, here, there, upload } = twoProcesses(1000);
    await upload(here, [300]);
    world.shared.unavailable = another.shared.unavailable = true;
    await upload(here, [300]);
    await upload(there, [300]);
    await expect(here.check(tenant, 401), 'counted by itself').rejects.toMatchObject(usedUp);
    world.shared.unavailable = another.shared.unavailable = false;
    world.shared.wipe();
    await world.clock.advance(bounds.sharedRestMs);
    await expect(here.check(tenant, 101), 'a Redis without memory has it counted').rejects.toMatchObject(usedUp);
    await there.check(tenant, 100);
  });

  test('fails with the store when that cannot be counted, and is asked again by the next call', async () => {
    const { world, here } = twoProcesses(1000);
    world.store.fault = ({ operation }) => (operation === 'list' ? { fail: 'before' } : undefined);
    await expect(here.check(tenant, 1)).rejects.toMatchObject({ code: 'store_unavailable' });
    mend(world.store);
    await here.check(tenant, 1000);
  });

  test('without a limit costs nothing', async () => {
    const world = fakeWorld({ quotas: { filesBytes: null, files: null } });
    const quota = new FilesQuota(world);
    await quota.check(tenant, 1e15);
    expect(await quota.taking(tenant, 1e15, () => Promise.resolve('stored'))).toBe('stored');
    expect(world.store.calls).toEqual([]);
    expect(world.shared.calls).toBe(0);
  });
});
