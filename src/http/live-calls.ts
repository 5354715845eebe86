import type { FastifyReply } from 'fastify';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';

/** The calls that wait for their answer in this process: each is given up when its client goes away, and all of them at the end. */
export class LiveCalls {
  readonly #world: Pick<World, 'clock' | 'log'>;
  readonly #open = new Set<AbortController>();
  #whenNone: (() => void) | null = null;

  constructor(world: Pick<World, 'clock' | 'log'>) {
    this.#world = world;
  }

  /** A signal that aborts when the call is to be given up. The call ends with the connection or with the answer. */
  open(reply: FastifyReply): AbortSignal {
    const call = new AbortController();
    this.#open.add(call);
    const onClose = (): void => {
      this.#open.delete(call);
      // Fastify tells nobody of an answer that could not be given.
      if (!reply.raw.writableFinished) this.#world.log.info('http.client_gone', { requestId: reply.request.id });
      call.abort(new EyrieError('service_unavailable', 'The client has gone away.'));
      if (this.#open.size === 0) this.#whenNone?.();
    };
    // It may have gone while its request was read.
    if (reply.raw.destroyed) onClose();
    else reply.raw.once('close', onClose);
    return call.signal;
  }

  /** When the program is told to end: calls under way get a while, then they are given up with an error that says so. */
  async close(): Promise<void> {
    const none = new AbortController();
    this.#whenNone = () => none.abort();
    if (this.#open.size > 0) await this.#world.clock.sleep(bounds.liveShutdownMs, none.signal);
    for (const call of this.#open) call.abort(new EyrieError('service_unavailable', 'The API is shutting down.'));
  }
}
