import type { Consumer } from '../../ports/job-queue.js';
import { HeldWorker, type WorkerSetup } from './held-worker.js';

/** Puts jobs of dead workers back although no worker of their kind may be alive: it takes none itself. */
export class StallWatcher implements Consumer {
  readonly #worker: HeldWorker;

  constructor(setup: WorkerSetup) {
    this.#worker = new HeldWorker(setup, null, 1);
    void this.#worker.bull.startStalledCheckTimer();
  }

  active(): number {
    return 0;
  }

  pause(): void {
    // It takes none.
  }

  resume(): void {
    // It takes none.
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }
}
