import { errorCode } from '../domain/errors.js';

/** Ends a program in order: stop taking work, finish or hand back, close connections. */
export interface Stop {
  (): Promise<void>;
  /** How long it may take; a program that hands work back needs longer than it gives the work. */
  readonly withinMs?: number;
}

/** A stop that hangs must not keep the process: whoever waits for its end would wait for ever. */
const stopTimeoutMsDefault = 30_000;

/**
 * Runs one of the programs until SIGTERM or SIGINT, or until its parent in local mode is gone. Prints a coded error and exits 1 when
 * the start fails. `start` gets a function that ends the program by itself (a worker that has been idle), and one that does so with
 * an error, which is printed at once and makes the exit code 1.
 */
export async function runProgram(
  name: string,
  start: (end: () => void, fail: (error: unknown) => void) => Promise<Stop>,
): Promise<void> {
  let stop: Stop | null = null;
  let ending = false;
  let exitCode = 0;
  const end = (): void => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(1), stop?.withinMs ?? stopTimeoutMsDefault).unref();
    void (stop?.() ?? Promise.resolve()).then(
      () => process.exit(exitCode),
      (error: unknown) => exit(error),
    );
  };
  const print = (error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${name}: ${errorCode(error)}: ${message}\n`);
  };
  const exit = (error: unknown): never => {
    print(error);
    process.exit(1);
  };
  const fail = (error: unknown): void => {
    print(error);
    exitCode = 1;
    end();
  };
  process.once('SIGTERM', () => end());
  process.once('SIGINT', () => end());
  // In local mode the parent holds an IPC channel; when it closes, the parent was killed, and the queue goes with it. Nothing is to
  // be saved: what is under way is found in the store at the next start.
  process.once('disconnect', () => process.exit(1));
  try {
    stop = await start(end, fail);
  } catch (error) {
    exit(error);
  }
  if (ending) {
    ending = false;
    end();
  }
}

/** Tells the parent in local mode that the program is ready; does nothing without one. */
export function tellParent(message: Readonly<Record<string, unknown>>): void {
  process.send?.(message);
}
