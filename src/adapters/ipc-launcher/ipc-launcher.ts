import { EyrieError } from '../../domain/errors.js';
import type { FleetLauncher } from '../../ports/fleet-launcher.js';

/** The message the parent gets: make sure that `count` workers run. */
export interface WantWorkersMessage {
  readonly type: 'want-workers';
  readonly count: number;
}

/** What the launcher needs of a process that was started with an IPC channel. */
export interface ParentChannel {
  readonly connected: boolean;
  send?(message: WantWorkersMessage, callback: (error: Error | null) => void): boolean;
}

/** Local mode: asks the parent process for workers over the channel that Node opens between them. */
export class IpcLauncher implements FleetLauncher {
  readonly #parent: ParentChannel;

  constructor(parent: ParentChannel = process) {
    this.#parent = parent;
  }

  /** Throws `service_unavailable` when there is no parent to ask. */
  want(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (cause?: unknown): void =>
        reject(
          new EyrieError(
            'service_unavailable',
            'No parent process to ask for workers. Start this program through `eyrie dev`, or choose another launcher.',
            { cause },
          ),
        );
      if (!this.#parent.send || !this.#parent.connected) fail();
      else this.#parent.send({ type: 'want-workers', count }, (error) => (error ? fail(error) : resolve()));
    });
  }
}
