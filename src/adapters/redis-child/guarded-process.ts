import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { findSetpriv } from './find-server.js';

/**
 * Runs the server and ends it when standard input closes, which the kernel does for us however this process dies. The reader is
 * a subshell of its own, so that it still ends the server if the shell itself is killed.
 */
const guardScript = `
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -TERM "$server"; } 2>/dev/null & reader=$!
wait "$server"; code=$?
kill -KILL "$reader" 2>/dev/null
exit "$code"
`;

const gentleMs = 10_000;

/** A program that does not outlive this process. It has a session of its own: Ctrl-C on the terminal does not reach it. */
export class GuardedProcess {
  readonly #guard: ChildProcess;
  /** Resolves when it has ended, asked or not. */
  readonly exited: Promise<void>;

  private constructor(guard: ChildProcess) {
    this.#guard = guard;
    this.exited = once(guard, 'exit').then(
      () => this.#signal('SIGKILL'), // what is left of its group, should the shell have been killed
      () => undefined,
    );
    guard.stdin?.on('error', () => undefined);
    // It must not keep this process alive.
    guard.unref();
    (guard.stdin as { unref?: () => void } | null)?.unref?.();
  }

  /** `program` is ended by the kernel too when its shell is killed, where util-linux's setpriv is there. */
  static async start(program: string, args: readonly string[], searchPath: string): Promise<GuardedProcess> {
    const setpriv = await findSetpriv(searchPath);
    const command = setpriv === null ? [program, ...args] : [setpriv, '--pdeathsig', 'TERM', program, ...args];
    const guard = spawn('/bin/sh', ['-c', guardScript, 'eyrie-guard', ...command], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: { PATH: searchPath },
    });
    return new GuardedProcess(guard);
  }

  get running(): boolean {
    return this.#guard.pid !== undefined && this.#guard.exitCode === null && this.#guard.signalCode === null;
  }

  async stop(): Promise<void> {
    this.#guard.ref();
    this.#guard.stdin?.destroy();
    const timer = setTimeout(() => this.#signal('SIGKILL'), gentleMs);
    await this.exited;
    clearTimeout(timer);
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#guard;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // ended
    }
  }
}
