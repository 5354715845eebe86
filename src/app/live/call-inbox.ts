import { liveMessage, type LiveMessage } from '../../contract/live-message.js';
import { EyrieError } from '../../domain/errors.js';
import type { Clock } from '../../ports/clock.js';
import type { ListenHandlers } from '../../ports/live-channel.js';

/** A message that tells more than that the worker is there. */
export type LiveDelivery = Exclude<LiveMessage, { kind: 'pulse' }>;

function parse(text: string): LiveMessage {
  try {
    return liveMessage.parse(JSON.parse(text));
  } catch (cause) {
    throw new EyrieError('worker_lost', 'A message of the worker is not in a form that this version knows.', { cause });
  }
}

/** What a caller gets when the worker was lost: whether the call may be made again depends on what the worker was at. */
export const workerGone = (begun: boolean): EyrieError =>
  begun
    ? new EyrieError('worker_crashed', 'The worker was lost while it made the answer.')
    : new EyrieError('worker_lost', 'The worker was lost before it had begun with the call.');

/**
 * The caller's side of a live call: takes messages as they arrive, each once and in order, and keeps them until they are asked for.
 * A gap means that something was lost, and an answer with a gap is worse than none. So does a second worker that begins anew.
 */
export class CallInbox implements ListenHandlers {
  readonly #clock: Clock;
  readonly #deliveries: LiveDelivery[] = [];
  #run: string | null = null;
  #next = 0;
  #heardMs: number | null = null;
  #begun = false;
  #failure: Error | null = null;
  #wake: AbortController | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When a worker was last heard, by the monotonic clock; null: none has taken the call yet. */
  get heardMs(): number | null {
    return this.#heardMs;
  }

  /** Whether a worker's engine has, or may have, seen the call. */
  get begun(): boolean {
    return this.#begun;
  }

  readonly onMessage = (text: string): void => {
    if (this.#failure) return;
    try {
      this.#take(parse(text));
    } catch (error) {
      this.#failure = error as Error;
    }
    this.#wake?.abort();
  };

  readonly onLost = (error: Error): void => {
    this.#failure ??= error;
    this.#wake?.abort();
  };

  /**
   * The next delivery, or null. Throws `worker_lost` after a gap and `queue_unavailable` when the channel broke; what came before
   * that is given first.
   */
  shift(): LiveDelivery | null {
    const delivery = this.#deliveries.shift();
    if (!delivery && this.#failure) throw this.#failure;
    return delivery ?? null;
  }

  /** Waits until anything comes, a pulse included, at most `ms`, or until the signal aborts. To be called when there is nothing. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    await this.#clock.sleep(ms, AbortSignal.any([this.#wake.signal, signal]));
    this.#wake = null;
  }

  #take(message: LiveMessage): void {
    this.#run ??= message.run;
    // The job came to a second worker, because the first one was lost.
    if (message.run !== this.#run) throw workerGone(this.#begun);
    if (message.n > this.#next) throw new EyrieError('worker_lost', 'A part of the answer was lost on its way.');
    this.#heardMs = this.#clock.monotonic();
    // After a broken connection a message may come twice.
    if (message.n < this.#next) return;
    this.#next++;
    if (message.kind === 'chunks' || (message.kind === 'pulse' && message.begun === true)) this.#begun = true;
    if (message.kind !== 'pulse') this.#deliveries.push(message);
  }
}
