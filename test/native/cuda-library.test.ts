import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import { openTiny, tinyCheckpoint } from '../support/tiny-falcon.js';

const built = fileURLToPath(new URL('../../native/build-cuda/libeyrie_cuda.so', import.meta.url));
const nowhere = '/nonexistent/libeyrie_cuda.so';
const sizes = { slots: 4, prefillTokens: 128, kvPages: 0, cards: 1, keepDense: false, keepDown: false };

const refused = (text: string) => ({ code: 'unsupported_device', message: expect.stringContaining(text) as string });

describe('without a CUDA library', () => {
  it('no cards are named, and the next step is', async () => {
    await expect(loadAddon().cudaCards(nowhere)).rejects.toMatchObject(refused(nowhere));
    await expect(loadAddon().cudaCards(nowhere)).rejects.toMatchObject(refused('npm run native:cuda'));
  });

  it('a file that is no library is refused', async () => {
    const file = path.join(await tinyCheckpoint(), 'text.so');
    await writeFile(file, 'no library');
    await expect(loadAddon().cudaCards(file)).rejects.toMatchObject(refused('cannot be loaded'));
  });

  it('an engine that is to use a card does not open', async () => {
    const opening = openTiny({ device: 'cuda', dtype: 'bfloat16', cuda: { ...sizes, library: nowhere } });
    await expect(opening).rejects.toMatchObject(refused('--device cpu'));
  });

  it('an engine that may choose takes the CPU, and says why', async () => {
    const { info } = await openTiny({
      device: 'auto',
      dtype: 'bfloat16',
      cuda: { ...sizes, slots: 9, library: nowhere },
    });
    expect(info).toMatchObject({ device: 'cpu', slots: 4, prefillTokens: 128 });
    expect(info.whyCpu).toContain(nowhere);
  });

  it('fp8 has no device', async () => {
    const opening = openTiny({ device: 'auto', dtype: 'fp8', cuda: { ...sizes, library: nowhere } });
    await expect(opening).rejects.toMatchObject(refused('fp8'));
  });
});

describe('the CUDA library', () => {
  it('loads without a driver, and says what is missing', async (test) => {
    test.skip(!existsSync(built), `${built} is not built: npm run native:cuda`);
    try {
      const cards = await loadAddon().cudaCards(built);
      test.skip(cards.length > 0, 'this machine has a card');
    } catch (error) {
      expect(error).toMatchObject(refused('driver'));
    }
    const opening = openTiny({ device: 'cuda', dtype: 'bfloat16', cuda: { ...sizes, library: built } });
    await expect(opening).rejects.toMatchObject({ code: 'unsupported_device' });
    const { info } = await openTiny({ device: 'auto', dtype: 'bfloat16', cuda: { ...sizes, library: built } });
    expect(info.device).toBe('cpu');
    expect(info.whyCpu).not.toBeNull();
  });
});
