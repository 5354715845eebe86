import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkCard } from '../../../../src/adapters/engine-native/check-card.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'eyrie-card-'));
  vi.stubEnv('EYRIE_CUDA_LIBRARY', path.join(folder, 'libeyrie_cuda.so'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** A program that prints `lines` when it is asked for the short check, and ends with `status`. */
async function program(lines: readonly object[], status: number, card = 0): Promise<void> {
  const file = path.join(folder, 'eyrie_gpu');
  const text = lines.map((line) => `echo '${JSON.stringify(line)}'\n`).join('');
  await writeFile(file, `#!/bin/sh\n[ "$*" = "check --short --device ${card}" ] || exit 9\n${text}exit ${status}\n`);
  await chmod(file, 0o755);
}

const right = { item: 'check', name: 'norms', ok: true, cases: 4 };
const wrong = { item: 'check', name: 'attention', ok: false, cases: 4 };

test('a card whose operations are right may serve', async () => {
  await program([right, { ...right, name: 'sampler' }], 0);
  expect((await checkCard()).checks).toBe(2);
});

test('of several cards each is checked by its number', async () => {
  await program([right], 0, 1);
  expect((await checkCard(1)).checks).toBe(1);
  await expect(checkCard(0)).rejects.toThrow(/^Card 0 failed its self-check/);
});

test('the operations that differ are named', async () => {
  await program([right, wrong], 1);
  await expect(checkCard()).rejects.toMatchObject({
    code: 'unsupported_device',
    message: expect.stringMatching(/differ from the CPU's: attention.*--device cpu/) as string,
  });
});

test('a wrong operation counts, whatever the exit status says', async () => {
  await program([right, wrong], 0);
  await expect(checkCard()).rejects.toThrow(/attention/);
});

test('without a driver the program says why', async () => {
  await program([{ item: 'error', code: 'unsupported_device', message: 'no CUDA driver is installed' }], 3);
  await expect(checkCard()).rejects.toThrow(/no CUDA driver is installed/);
});

test('a check that checks nothing, that crashes or that prints no JSON does not pass', async () => {
  await program([], 0);
  await expect(checkCard()).rejects.toThrow(/it checked nothing/);
  await program([right], 7);
  await expect(checkCard()).rejects.toThrow(/ended without a result/);
  await writeFile(path.join(folder, 'eyrie_gpu'), '#!/bin/sh\necho no json\n');
  await expect(checkCard()).rejects.toThrow(/self-check/);
});

test('a library without its program names the next step', async () => {
  await expect(checkCard()).rejects.toThrow(/npm run native:cuda/);
});
