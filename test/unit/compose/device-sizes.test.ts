import { beforeEach, expect, test, vi } from 'vitest';
import { cudaCards } from '../../../src/adapters/engine-native/cuda-cards.js';
import { cudaSizes } from '../../../src/compose/device-sizes.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { publishedShapes } from '../../../src/domain/gpu/published-shapes.js';

vi.mock(import('../../../src/adapters/engine-native/cuda-cards.js'), () => ({
  cudaCards: vi.fn(),
  cudaLibrary: () => null,
}));

const falcon40 = publishedShapes['40b'];
const whatSuits = { slots: null, prefillTokens: null };
const gibibyte = 2 ** 30;

function cardsWithFree(...gibibytes: number[]): void {
  vi.mocked(cudaCards).mockResolvedValue(
    gibibytes.map((free) => ({
      name: 'card',
      computeCapability: '9.0',
      multiprocessors: 132,
      memoryBytes: 80 * gibibyte,
      freeBytes: free * gibibyte,
    })),
  );
}

beforeEach(() => {
  vi.mocked(cudaCards).mockReset();
});

test('slots by what is free of the card: not by shares of it', async () => {
  cardsWithFree(78.4);
  expect(await cudaSizes('cuda', 'fp8', falcon40, whatSuits)).toMatchObject({ slots: 256, prefillTokens: 512 });
  // Beside weights, buffers and reserve there are 51 pages: 17 sequences of 3.
  cardsWithFree(41.2);
  expect(await cudaSizes('cuda', 'fp8', falcon40, whatSuits)).toMatchObject({ slots: 17 });
});

test('of several cards the one with least memory decides', async () => {
  cardsWithFree(78.4, 41.2, 20);
  expect(await cudaSizes('cuda', 'bfloat16', falcon40, { ...whatSuits, tensorParallel: 2 })).toMatchObject({
    cards: 2,
    slots: 12,
  });
});

test('a card that is too small gets one slot: the engine says by how much', async () => {
  cardsWithFree(39);
  expect(await cudaSizes('cuda', 'fp8', falcon40, whatSuits)).toMatchObject({ slots: 1 });
});

test('without a card, and with sizes that were asked for, there is nothing to plan', async () => {
  vi.mocked(cudaCards).mockRejectedValue(new EyrieError('unsupported_device', 'no driver'));
  expect(await cudaSizes('auto', 'bfloat16', falcon40, whatSuits)).toMatchObject({ slots: 256 });
  expect(await cudaSizes('cpu', 'bfloat16', falcon40, whatSuits)).toBeNull();
  const asked = { slots: 7, prefillTokens: 64, fp8Keep: ['down'] } as const;
  expect(await cudaSizes('cuda', 'fp8', falcon40, asked)).toMatchObject({
    slots: 7,
    prefillTokens: 64,
    keepDense: false,
    keepDown: true,
  });
});

test('what stays bfloat16 is for fp8', async () => {
  await expect(cudaSizes('cpu', 'bfloat16', falcon40, { ...whatSuits, fp8Keep: ['dense', 'down'] })).rejects.toThrow(
    '--fp8-keep (EYRIE_FP8_KEEP) is dense,down, which is for fp8 weights, but the number format is bfloat16. Choose --dtype (EYRIE_DTYPE) fp8, or leave it out.',
  );
});

test('several cards are not asked for on the CPU', async () => {
  await expect(cudaSizes('cpu', 'bfloat16', falcon40, { ...whatSuits, tensorParallel: 2 })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(/--tensor-parallel .* is 2, .*device is cpu.*--device cuda/) as string,
  });
});
