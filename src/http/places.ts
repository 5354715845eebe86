import type { FastifyReply } from 'fastify';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { noPlace, type ApiShares, type ShareName } from './shares.js';

declare module 'fastify' {
  interface FastifyReply {
    /** See `answerEnds`; null until somebody asks for it. */
    ends: AbortSignal | null;
    /** Leave the places that its call holds; null: it holds none. */
    places: (() => void)[] | null;
  }
}

/** Calls `end` once the answer is out, or its client gone; at once when it has gone while its request was read. */
export function whenAnswerEnds({ raw }: FastifyReply, end: (reason: EyrieError) => void): void {
  const onClose = (): void => end(new EyrieError('service_unavailable', 'The client has gone away.'));
  if (raw.destroyed) onClose();
  else raw.once('close', onClose);
}

/**
 * Aborts when the answer is out, or its client gone: what was done for it is done for nobody from then on. One signal for all who
 * ask: Node warns of a response with more than ten listeners, and many of them are the framework's.
 */
export function answerEnds(reply: FastifyReply): AbortSignal {
  return (reply.ends ??= endOf(reply));
}

function endOf(reply: FastifyReply): AbortSignal {
  const ended = new AbortController();
  whenAnswerEnds(reply, (reason) => ended.abort(reason));
  return ended.signal;
}

/** Gives calls their places among those of all tenants. */
export class Places {
  readonly #clock: Pick<World['clock'], 'sleep'>;
  readonly #shares: ApiShares;

  constructor({ clock }: Pick<World, 'clock'>, shares: ApiShares) {
    this.#clock = clock;
    this.#shares = shares;
  }

  /**
   * Waits for a place, and holds it until the call has ended (`duringCall`) or what this gives is called. A call that waits too long
   * is refused: it may stand in the way of another one, in front of it on the same connection, that waits too.
   */
  async hold(name: ShareName, tenant: string, reply: FastifyReply, size = 1): Promise<() => void> {
    const answered = answerEnds(reply);
    const entered = new AbortController();
    const late = new AbortController();
    void this.#clock.sleep(bounds.placeWaitMs, entered.signal).then(() => {
      if (!entered.signal.aborted) late.abort(noPlace(name));
    });
    try {
      const leave = await this.#shares[name].enter(tenant, {
        size,
        cost: size,
        signal: AbortSignal.any([answered, late.signal]),
      });
      (reply.places ??= []).push(leave);
      return leave;
    } finally {
      // With a reason: without one, an error with its stack is made for each call.
      entered.abort('entered');
    }
  }

  /**
   * Handles a call, which leaves its places when it has ended: its handler, which goes on when the client goes away, and its answer,
   * which goes on when the handler has returned.
   */
  async duringCall<T>(reply: FastifyReply, handle: () => Promise<T>): Promise<T> {
    try {
      return await handle();
    } finally {
      for (const leave of reply.places ?? []) {
        const answered = answerEnds(reply);
        if (answered.aborted) leave();
        else answered.addEventListener('abort', leave, { once: true });
      }
    }
  }
}
