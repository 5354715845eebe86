import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalMode } from '../support/local-mode.js';
import { makeTempFolder } from '../support/temp-folder.js';
import { pythonClients } from './clients.js';
import { WebhookCatcher } from './webhook-catcher.js';

const scenario = path.join(import.meta.dirname, 'python/scenario.py');

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

describe.each(pythonClients)('the Python client, version $major', ({ missing, python }) => {
  test.skipIf(missing)(
    missing ?? 'passes every check of its scenario',
    async () => {
      const { stdout } = await promisify(execFile)(python, [
        scenario,
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
      expect(checks.length).toBeGreaterThanOrEqual(19);
    },
    300_000,
  );
});
