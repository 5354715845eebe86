import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';

export type ProgramName = 'api' | 'control' | 'generate';

/** Compiled programs, from the folder of the compiled command line. */
const entryPoints: Readonly<Record<ProgramName, string>> = {
  api: 'src/http/main.js',
  control: 'workers/control/main.js',
  generate: 'workers/generate/main.js',
};

export interface ProgramOptions {
  /** `dist/`. */
  readonly programRoot: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Folder for a log file per program; null: the terminal. */
  readonly logFolder: string | null;
  /** Another program in place of `generate`, below `programRoot`. */
  readonly workerProgram?: string;
}

/** One running program of local mode. It ends by itself when the IPC channel to this process closes. */
export class ProgramProcess {
  readonly name: ProgramName;
  /** Resolves with the exit code, or with the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess;

  constructor(
    name: ProgramName,
    { programRoot, environment, logFolder, workerProgram }: ProgramOptions,
    onMessage: (message: unknown) => void,
  ) {
    this.name = name;
    const log = logFolder === null ? 'inherit' : openSync(path.join(logFolder, `${name}.log`), 'a', 0o600);
    const entryPoint = (name === 'generate' ? workerProgram : undefined) ?? entryPoints[name];
    this.#child = fork(path.join(programRoot, entryPoint), [], {
      env: environment,
      stdio: ['ignore', log, log, 'ipc'],
      // A group of its own: Ctrl-C on the terminal reaches only the parent, which then ends all in order.
      detached: true,
    });
    if (typeof log === 'number') closeSync(log);
    this.#child.on('message', onMessage);
    this.ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve(1));
      this.#child.once('exit', (code, signal) => resolve(signal ?? code ?? 1));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks it to end in order; after `graceMs` it is killed. */
  async stop(graceMs: number): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }
}
