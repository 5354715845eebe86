import type { FastifyReply } from 'fastify';
import type { FairShare } from '../app/fair/fair-share.js';
import { bounds } from '../domain/bounds.js';
import type { Clock } from '../ports/clock.js';
import { answerEnds } from './places.js';

/** A character that is tokenized costs as much as so many bytes that are parsed: up to a microsecond in a text of strange words. */
const bytesPerChar = 4;

/**
 * Lets large bodies be parsed and checked one after the other, with pauses that keep most of the event loop for other calls. A body is
 * bounded, but a call takes many turns of the loop, and it would wait for another tenant's body in each of them.
 */
export class ParseTurns {
  readonly #share: FairShare;
  readonly #clock: Pick<Clock, 'monotonic' | 'sleep'>;

  constructor(share: FairShare, clock: Pick<Clock, 'monotonic' | 'sleep'>) {
    this.#share = share;
    this.#clock = clock;
  }

  /** Does the step, which looks at a body of so many bytes, in its tenant's turn. */
  async take<T>(tenant: string, reply: FastifyReply, bytes: number, step: () => T | Promise<T>): Promise<T> {
    if (bytes < bounds.parseAtOnceBytes) return step();
    const leave = await this.#share.enter(tenant, { cost: bytes, signal: answerEnds(reply) });
    const startedMs = this.#clock.monotonic();
    try {
      return await step();
    } finally {
      const tookMs = this.#clock.monotonic() - startedMs;
      void this.#clock.sleep(Math.min(bounds.parsePauseMsMax, tookMs * bounds.parsePauseShare)).then(leave);
    }
  }

  /** The same for a step that tokenizes so many characters, or looks at so many tokens. */
  takeForText<T>(tenant: string, reply: FastifyReply, chars: number, step: () => Promise<T>): Promise<T> {
    return this.take(tenant, reply, bytesPerChar * chars, step);
  }
}
