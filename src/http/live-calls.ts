import type { FastifyReply } from 'fastify';
import { FairShare } from '../app/fair/fair-share.js';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { whenAnswerEnds } from './places.js';

const tooMany = (): EyrieError =>
  new EyrieError(
    'rate_limit_exceeded',
    `${bounds.liveCallsPerTenant} of your calls wait for their answer here, as many as are allowed. Try again when some have ended, or send a batch.`,
    { bound: 'liveCallsPerTenant' },
  );

/** The calls that wait for their answer in this process: each is given up when its client goes away, and all of them at the end. */
export class LiveCalls {
  readonly #world: Pick<World, 'clock' | 'log' | 'tenants'>;
  readonly #open = new Set<AbortController>();
  readonly #perTenant = new Map<string, number>();
  /** Large answers on their way from the store to a client: each holds a connection of the store. */
  readonly largeAnswers: FairShare;
  #whenNone: (() => void) | null = null;

  constructor(world: Pick<World, 'clock' | 'log' | 'tenants'>) {
    this.#world = world;
    this.largeAnswers = new FairShare({
      places: bounds.liveLargeAnswersMax,
      placesPerTenant: bounds.liveLargeAnswersPerTenant,
      waitingPerTenant: bounds.liveCallsPerTenant,
      tenants: world.tenants,
      refusal: tooMany,
    });
  }

  /**
   * A signal that aborts when the call is to be given up. The call ends with the connection or with the answer. Throws
   * `rate_limit_exceeded` when too many of the tenant's calls are open.
   */
  open(tenant: string, reply: FastifyReply): AbortSignal {
    const ofTenant = this.#perTenant.get(tenant) ?? 0;
    if (ofTenant >= bounds.liveCallsPerTenant) throw tooMany();
    this.#perTenant.set(tenant, ofTenant + 1);
    const call = new AbortController();
    this.#open.add(call);
    whenAnswerEnds(reply, (reason) => {
      this.#open.delete(call);
      const left = (this.#perTenant.get(tenant) ?? 1) - 1;
      if (left > 0) this.#perTenant.set(tenant, left);
      else this.#perTenant.delete(tenant);
      // Fastify reports no answer that could not be given.
      if (!reply.raw.writableFinished) this.#world.log.info('http.client_gone', { requestId: reply.request.id });
      call.abort(reason);
      if (this.#open.size === 0) this.#whenNone?.();
    });
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
