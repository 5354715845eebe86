import { EyrieError } from '../../domain/errors.js';
import { ProgramProcess, type ProgramName, type ProgramOptions } from './program-process.js';

const restartDelayMsMin = 500;
const restartDelayMsMax = 15_000;
/** A program that ran at least this long is taken to have started well. */
const healthyMs = 20_000;
const stopGraceMs = 25_000;

export interface SupervisorOptions extends ProgramOptions {
  /** Environment of one program, on top of the common one. */
  readonly environmentOf: (name: ProgramName) => NodeJS.ProcessEnv;
  readonly onNote: (text: string) => void;
}

interface Ready {
  readonly type: 'ready';
  readonly port?: number;
  readonly operatorPort?: number;
}

const isReady = (message: unknown): message is Ready => (message as { type?: unknown } | null)?.type === 'ready';

function wantedWorkers(message: unknown): number | null {
  const { type, count } = (message ?? {}) as { type?: unknown; count?: unknown };
  return type === 'want-workers' && typeof count === 'number' ? count : null;
}

/**
 * Keeps the programs of local mode running. `api` and `control` are started again when they end; `generate` workers are started when
 * `control` asks for them and end by themselves. A program that fails again and again is started with growing delays.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #running = new Set<ProgramProcess>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopping = false;
  #workersWanted = 0;
  #workerFailures = 0;
  #workersNotBefore = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts `api` or `control`; resolves when it is ready. Throws when its first start fails. */
  start(name: 'api' | 'control'): Promise<Ready> {
    return new Promise((resolve, reject) => {
      let failures = 0;
      const launch = (): void => {
        const startedAt = Date.now();
        const program = this.#launch(name, (message) => {
          if (isReady(message)) resolve(message);
          const workers = wantedWorkers(message);
          if (workers !== null) this.#wantWorkers(workers);
        });
        void program.ended.then((reason) => {
          if (this.#stopping) return;
          failures = Date.now() - startedAt >= healthyMs ? 0 : failures + 1;
          reject(
            new EyrieError(
              'service_unavailable',
              `${name} ended with ${reason} while it was starting. Its log says why.`,
            ),
          );
          this.#options.onNote(`${name} ended with ${reason}; starting it again`);
          this.#later(restartDelay(failures), launch);
        });
      };
      launch();
    });
  }

  pids(name: ProgramName): number[] {
    return [...this.#running].filter((program) => program.name === name).flatMap(({ pid }) => pid ?? []);
  }

  /** Ends all programs in order: no new requests, then no new work, then the work held is finished or handed back. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const name of ['api', 'generate', 'control'] as const)
      await Promise.all(
        [...this.#running].filter((program) => program.name === name).map((program) => program.stop(stopGraceMs)),
      );
  }

  #launch(name: ProgramName, onMessage: (message: unknown) => void): ProgramProcess {
    const environment = { ...this.#options.environment, ...this.#options.environmentOf(name) };
    const program = new ProgramProcess(name, { ...this.#options, environment }, onMessage);
    this.#running.add(program);
    void program.ended.then(() => this.#running.delete(program));
    return program;
  }

  #wantWorkers(count: number): void {
    this.#workersWanted = count;
    while (
      !this.#stopping &&
      Date.now() >= this.#workersNotBefore &&
      this.pids('generate').length < this.#workersWanted
    )
      this.#startWorker();
  }

  #startWorker(): void {
    const startedAt = Date.now();
    const worker = this.#launch('generate', (message) => {
      if (isReady(message)) this.#workerFailures = 0;
    });
    void worker.ended.then((reason) => {
      if (this.#stopping || reason === 0) return;
      this.#workerFailures = Date.now() - startedAt >= healthyMs ? 0 : this.#workerFailures + 1;
      // The next request for workers after this time starts one: control repeats it while there is work.
      this.#workersNotBefore = Date.now() + restartDelay(this.#workerFailures);
      this.#options.onNote(
        `a generate worker ended with ${reason}; its log says why. Another starts when there is work`,
      );
    });
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}

function restartDelay(failures: number): number {
  return failures === 0 ? 0 : Math.min(restartDelayMsMax, restartDelayMsMin * 2 ** (failures - 1));
}
