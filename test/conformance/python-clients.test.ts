import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalMode } from '../support/local-mode.js';
import { makeTempFolder } from '../support/temp-folder.js';
import { pythonClients } from './clients.js';
import { WebhookCatcher } from './webhook-catcher.js';

interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly why: string | null;
}

let folder: string;
let service: LocalMode;
let catcher: WebhookCatcher;

beforeAll(async () => {
  folder = await makeTempFolder();
  catcher = await WebhookCatcher.start();
  service = await LocalMode.start(path.join(folder, 'data'), ['--model', 'demo']);
});
afterAll(async () => {
  await service.stop();
  await catcher.stop();
  await rm(folder, { recursive: true });
});

/** Each tells at least so many checks: one that ends early, with nothing failed, has not passed. */
const halves = [
  ['synchronous', 'sync_client.py', 19],
  ['asynchronous', 'async_client.py', 9],
] as const;

describe.each(pythonClients)('the Python client, version $major', ({ missing, python }) => {
  test.skipIf(missing).each(halves)(
    missing ?? 'passes every check of its %s half',
    async (_half, program, checksMin) => {
      const { stdout } = await promisify(execFile)(python, [
        // Without compiled files beside the sources.
        '-B',
        path.join(import.meta.dirname, 'python', program),
        service.url,
        service.apiKey,
        service.webhookSecret,
        catcher.url,
      ]);
      const checks = stdout
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text) as Check);
      for (const { check, ok } of checks) console.log(`${ok ? 'ok' : 'FAILED'}: ${check}`);
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks.length).toBeGreaterThanOrEqual(checksMin);
    },
    300_000,
  );
});
