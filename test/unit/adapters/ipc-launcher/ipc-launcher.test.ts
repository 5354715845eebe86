import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { IpcLauncher } from '../../../../src/adapters/ipc-launcher/ipc-launcher.js';

it('asks its parent for workers', async () => {
  const child = fork(fileURLToPath(new URL('./want-workers-child.ts', import.meta.url)), {
    execArgv: ['--import', new URL('../../../support/typescript-hook.mjs', import.meta.url).href],
  });
  const [message] = (await once(child, 'message')) as unknown[];
  expect(message).toEqual({ type: 'want-workers', count: 3 });
  const [code] = (await once(child, 'exit')) as unknown[];
  expect(code).toBe(0);
});

it('says so when there is no parent, or it has gone', async () => {
  const missing = { code: 'service_unavailable' };
  await expect(new IpcLauncher({ connected: false }).want(1)).rejects.toMatchObject(missing);
  const gone = new IpcLauncher({
    connected: true,
    send: (_message, callback) => {
      callback(new Error('channel closed'));
      return false;
    },
  });
  await expect(gone.want(1)).rejects.toMatchObject(missing);
});
