import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { tempFolder } from '../../../../support/temp-folder.js';

const script = fileURLToPath(new URL('./in-namespace.ts', import.meta.url));
const hook = new URL('../../../../support/typescript-hook.mjs', import.meta.url).href;

/** Why this machine cannot do it; null: it can. */
function obstacle(): string | null {
  try {
    execFileSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' });
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'a network namespace (unshare -rn, ip) and openssl are needed';
  }
}

interface Result {
  readonly good: { readonly status: number | null; readonly error: string | null };
  readonly tried: number;
  readonly passed: readonly string[];
  readonly reboundVisits: readonly (number | null)[];
  readonly redirects: readonly { readonly status: number | null }[];
  readonly changed: readonly string[];
  readonly reached: number;
  readonly counted: number;
}

const missing = obstacle();

test.skipIf(missing !== null)(
  `webhooks reach nothing inside the network${missing ? ` (${missing})` : ''}`,
  { timeout: 180_000 },
  async () => {
    const folder = await tempFolder();
    const cwd = folder;
    writeFileSync(join(folder, 'server.ext'), 'subjectAltName=DNS:public.test,DNS:*.names.test\n');
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd, stdio: 'ignore' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-subj', '/CN=Eyrie test CA', '-days', '2', '-out', 'ca.crt');
    openssl('req', ...key, '-keyout', 'server.key', '-subj', '/CN=public.test', '-out', 'server.csr');
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'server.ext'];
    openssl('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.crt');
    const { stdout } = await promisify(execFile)(
      'unshare',
      ['-rn', process.execPath, '--import', hook, script, folder],
      { env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt') } },
    );
    const result = JSON.parse(stdout) as Result;
    expect(result.good).toMatchObject({ status: 200, error: null });
    expect(result.tried).toBeGreaterThanOrEqual(110);
    expect(result.passed).toEqual([]);
    // Each went to the public receiver or nowhere.
    expect(new Set(result.reboundVisits)).toEqual(new Set([200, null]));
    expect(result.redirects).toMatchObject([{ status: 307 }, { status: 307 }]);
    expect(result.changed).toEqual(Array<string>(7).fill('invalid_value'));
    expect(result.reached).toBe(0);
    // The listeners do count.
    expect(result.counted).toBe(1);
  },
);
