import { deliveryJob, type DeliveryJob } from '../../../contract/queue-payload.js';
import { errorCode } from '../../../domain/errors.js';
import type { World } from '../../world.js';
import { DeliveryLanes } from './delivery-lanes.js';
import { copyRules, postRules } from './lane-rules.js';

/** Receiver of the copy of a bucket drop's results, under which nothing else is delivered. */
const outbox = 'outbox';

/** What of the queue's deliveries is done now: posts and copies apart, so that neither waits for the other. */
export class SharedDeliveries {
  readonly posts: DeliveryLanes;
  readonly copies: DeliveryLanes;
  readonly #world: Pick<World, 'queue' | 'refusals' | 'clock' | 'log'>;

  constructor(world: Pick<World, 'queue' | 'refusals' | 'clock' | 'log' | 'tenants'>) {
    this.#world = world;
    const weightOf = (tenant: string): number => world.tenants.weight(tenant);
    this.posts = new DeliveryLanes(postRules, weightOf);
    this.copies = new DeliveryLanes(copyRules, weightOf);
  }

  /** Does the step if the delivery has a place now; else the job may end, and comes again. */
  async run(pointer: DeliveryJob, step: () => Promise<void>): Promise<void> {
    const lanes = pointer.receiverId === outbox ? this.copies : this.posts;
    const entered = lanes.enter(pointer);
    if (entered === 'forgotten') this.#world.refusals.note(pointer.tenant, 'webhookWaitingPerTenant');
    if (typeof entered === 'string') return;
    const started = this.#world.clock.monotonic();
    try {
      await step();
    } finally {
      entered(this.#world.clock.monotonic() - started);
      await this.#wake(lanes);
    }
  }

  /** Queues what waits and has room. Called again and again: others may have taken what was queued, and left room. */
  async wakeAll(): Promise<void> {
    await this.#wake(this.posts);
    await this.#wake(this.copies);
  }

  async #wake(lanes: DeliveryLanes): Promise<void> {
    const jobs = lanes.takeNext();
    if (jobs.length === 0) return;
    const { queue, log } = this.#world;
    try {
      // One that stepped aside a moment ago may still be held by the queue, which would not take it again.
      const ids = jobs.map(({ id }) => id);
      const gone = new Set(await queue.missing('deliver', ids));
      const [ready, early] = [jobs.filter(({ id }) => gone.has(id)), jobs.filter(({ id }) => !gone.has(id))];
      for (const { payload } of early) lanes.remember(deliveryJob.parse(payload));
      await queue.add('deliver', ready);
    } catch (error) {
      // Redis is away: a sweep queues them when it is back.
      log.debug('webhook.wake_failed', { code: errorCode(error) });
    }
  }
}
