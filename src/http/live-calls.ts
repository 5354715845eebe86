import type { FastifyReply } from 'fastify';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { Clock } from '../ports/clock.js';

/** The calls that wait for their answer in this process: each is given up when its client goes away, and all of them at the end. */
export class LiveCalls {
  readonly #clock: Clock;
  readonly #open = new Set<AbortController>();
  #whenNone: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A signal that aborts when the call is to be given up. The call ends with the connection or with the answer. */
  open(reply: FastifyReply): AbortSignal {
    const call = new AbortController();
    this.#open.add(call);
    reply.raw.once('close', () => {
      this.#open.delete(call);
      call.abort(new EyrieError('service_unavailable', 'The client has gone away.'));
      if (this.#open.size === 0) this.#whenNone?.();
    });
    return call.signal;
  }

  /** When the program is told to end: calls under way get a while, then they are given up with an error that says so. */
  async close(): Promise<void> {
    const none = new AbortController();
    this.#whenNone = () => none.abort();
    if (this.#open.size > 0) await this.#clock.sleep(bounds.liveShutdownMs, none.signal);
    for (const call of this.#open) call.abort(new EyrieError('service_unavailable', 'The API is shutting down.'));
  }
}
