import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { openRedis } from '../../../src/compose/open-redis.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/loopback-server.js';
import { MemoryLog } from '../../support/memory-log.js';
import { RedisProcess } from '../../support/redis-process.js';
import { tempFolder } from '../../support/temp-folder.js';

const evicting = ['maxmemory-policy allkeys-lru'];

async function startRedis(port: number, config: readonly string[]): Promise<void> {
  const server = await RedisProcess.start({ folder: await tempFolder(), port, config });
  onTestFinished(() => server.kill());
}

function startProgram(url: string): { printed: () => string; exitCode: Promise<unknown>; end: () => void } {
  const hook = new URL('../../support/typescript-hook.mjs', import.meta.url).href;
  const script = fileURLToPath(new URL('./program-with-redis.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', hook, script, url], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)));
  return {
    printed: () => printed,
    exitCode: once(child, 'close').then(([code]: unknown[]) => code),
    end: () => void child.kill('SIGTERM'),
  };
}

it('a program does not start with a Redis that cannot be used', async () => {
  const port = await freePort();
  await startRedis(port, evicting);
  const program = startProgram(`redis://127.0.0.1:${port}`);
  expect(await program.exitCode).toBe(1);
  expect(program.printed()).toMatch(
    /^example: config_invalid: The Redis of EYRIE_REDIS_URL cannot be used: .*noeviction/,
  );
});

it('a program that waits for Redis ends in order, with the reason, when that one cannot be used', async () => {
  const port = await freePort();
  const program = startProgram(`redis://127.0.0.1:${port}`);
  await eventually('it waits', () => program.printed().includes('started'));
  await startRedis(port, evicting);
  expect(await program.exitCode).toBe(1);
  expect(program.printed()).toMatch(/^started\nexample: config_invalid: .*noeviction.*\nstopped\n$/);
});

it('a program that waits for Redis goes on when that one can be used', async () => {
  const port = await freePort();
  const program = startProgram(`redis://127.0.0.1:${port}`);
  await eventually('it waits', () => program.printed().includes('started'));
  await startRedis(port, []);
  program.end();
  expect(await program.exitCode).toBe(0);
  expect(program.printed()).toBe('started\nstopped\n');
});

it('names the setting of a file that cannot be read or is no PEM', async () => {
  const file = path.join(await tempFolder(), 'ca.pem');
  const open = (): Promise<unknown> =>
    openRedis(
      {
        EYRIE_REDIS_URL: 'rediss://127.0.0.1',
        EYRIE_REDIS_TLS_CA_FILE: file,
        EYRIE_REDIS_ALLOW_EVICTION: false,
        EYRIE_LOCK_MS: 60_000,
        EYRIE_STALLED_CHECK_MS: 15_000,
      },
      new MemoryLog(),
      () => undefined,
    );
  const invalid = { code: 'config_invalid', param: 'EYRIE_REDIS_TLS_CA_FILE' };
  await expect(open()).rejects.toMatchObject({ ...invalid, message: expect.stringContaining('ENOENT') as string });
  await writeFile(file, 'no certificate');
  await expect(open()).rejects.toMatchObject({ ...invalid, message: expect.stringContaining('PEM') as string });
});
