#!/usr/bin/env node
// with-service.mjs COMMAND...: runs the command against `eyrie dev` over the demo model, in a folder of its own that is removed
// afterwards. The command finds EYRIE_URL, EYRIE_KEY, EYRIE_MODEL and EYRIE_WEBHOOK_SECRET; its exit code is passed on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const data = mkdtempSync(path.join(tmpdir(), 'eyrie-slow-'));
const service = spawn(process.execPath, [path.join(root, 'dist/src/cli/main.js'), 'dev', '--data', data], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'pipe'],
});
let banner = '';
let errors = '';
service.stderr.on('data', (chunk) => (errors = (errors + String(chunk)).slice(-4000)));
const ready = new Promise((resolve, reject) => {
  service.stdout.on('data', (chunk) => {
    banner += String(chunk);
    if (banner.includes('Ctrl-C stops everything')) resolve();
  });
  service.once('exit', () => reject(new Error(`eyrie dev ended while it was starting: ${errors}`)));
});
let code = 1;
try {
  await ready;
  const field = (name) => new RegExp(`^ +${name} +(\\S+)`, 'm').exec(banner)?.[1] ?? '';
  const [command, ...args] = process.argv.slice(2);
  const child = spawn(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      EYRIE_URL: field('API'),
      EYRIE_KEY: field('key'),
      EYRIE_MODEL: field('model'),
      EYRIE_WEBHOOK_SECRET: field('webhook secret'),
    },
  });
  [code] = await once(child, 'exit');
} finally {
  if (service.exitCode === null) {
    service.kill('SIGTERM');
    await once(service, 'exit');
  }
  rmSync(data, { recursive: true, force: true });
}
process.exit(code ?? 1);
