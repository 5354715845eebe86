import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { findServer } from '../../src/adapters/redis-child/find-server.js';
import { eventually } from './eventually.js';

export interface RedisProcessOptions {
  /** Made when missing. */
  readonly folder: string;
  /** Where it answers, with or without TLS. */
  readonly port: number;
  /** Lines of its configuration beside folder, address and port. */
  readonly config: readonly string[];
  readonly sentinel?: boolean;
  /** Default: what is on the PATH. */
  readonly program?: string;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** A Redis server or Sentinel of a test, to be killed, and started again with what it had. */
export class RedisProcess {
  readonly port: number;
  readonly #options: RedisProcessOptions;
  #child: ChildProcess | null = null;

  private constructor(options: RedisProcessOptions) {
    this.port = options.port;
    this.#options = options;
  }

  static async start(options: RedisProcessOptions): Promise<RedisProcess> {
    const { folder, port, config } = options;
    await mkdir(folder, { recursive: true });
    const lines = ['bind 127.0.0.1', `dir ${folder}`, `logfile ${path.join(folder, 'log')}`, 'save ""', ...config];
    if (!config.some((line) => line.startsWith('port '))) lines.push(`port ${port}`);
    await writeFile(path.join(folder, 'conf'), `${lines.join('\n')}\n`);
    const server = new RedisProcess(options);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const { folder, sentinel = false, program = await findServer(process.env['PATH'] ?? '') } = this.#options;
    const args = [path.join(folder, 'conf'), ...(sentinel ? ['--sentinel'] : [])];
    this.#child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (chunk: Buffer) => void appendFile(path.join(folder, 'log'), chunk));
    await eventually(`what is in ${folder} answers`, () => answers(this.port));
  }

  /** Stops answering without ending, as a machine does that hangs. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}
