import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';
import { freePort } from './loopback-server.js';
import { makeTempFolder } from './temp-folder.js';

const script = fileURLToPath(new URL('../../infra/setup/versitygw.sh', import.meta.url));
const credentials = { accessKeyId: 'eyrie-test', secretAccessKey: 'eyrie-test-secret' };

/** The S3 server's program, built at the first use (minutes); or the reason why there is none. */
export async function findVersitygw(): Promise<{ readonly program: string } | { readonly missing: string }> {
  try {
    const { stdout } = await promisify(execFile)(script);
    return { program: stdout.trim() };
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return { missing: stderr.trim().split('\n').at(-1) ?? 'versitygw could not be built' };
  }
}

/** A real S3 server on a folder of its own. */
export class Versitygw {
  readonly endpoint: string;
  readonly credentials = credentials;
  readonly #folder: string;
  readonly #program: string;
  readonly #port: number;
  #process: ChildProcess | null = null;

  private constructor(program: string, folder: string, port: number) {
    this.#program = program;
    this.#folder = folder;
    this.#port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(program: string, buckets: readonly string[]): Promise<Versitygw> {
    const folder = await makeTempFolder();
    // The server takes each folder for a bucket.
    for (const bucket of buckets) await mkdir(path.join(folder, bucket));
    const server = new Versitygw(program, folder, await freePort());
    await server.resume();
    return server;
  }

  /** Starts it on its folder, where what was stored is found again. */
  async resume(): Promise<void> {
    const { accessKeyId, secretAccessKey } = credentials;
    const args = [
      '--quiet',
      '--keep-alive',
      '--port',
      `127.0.0.1:${this.#port}`,
      '--access',
      accessKeyId,
      '--secret',
      secretAccessKey,
    ];
    this.#process = spawn(this.#program, [...args, 'posix', this.#folder], { stdio: 'ignore' });
    const answers = (): Promise<boolean> =>
      fetch(this.endpoint).then(
        () => true,
        () => false,
      );
    await eventually('the S3 server answers', answers);
  }

  async kill(): Promise<void> {
    const server = this.#process;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
