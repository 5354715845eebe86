import { z } from 'zod';
import type { SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import type { WebhookEvent } from '../../contract/webhook-event.js';
import { bounds } from '../../domain/bounds.js';
import { derivedId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { getJson, putJson } from '../stored-json.js';
import { viewBatch } from '../view-batch.js';
import type { World } from '../world.js';
import { OptedIn } from './opted-in.js';
import { publishEvent, queueFirstAttempts } from './publish-event.js';

/** The last news of a batch: how many steps of `bounds.webhookProgressShare` were done, and when it was told. */
const lastNews = z.object({ v: z.literal(1), step: z.number().int(), ms: z.number() });
type LastNews = z.output<typeof lastNews>;

export const findLastNews = (store: ObjectStore, tenant: string, batchId: string): Promise<LastNews | null> =>
  getJson(store, keys.progressNews(tenant, batchId), lastNews);

/**
 * Tells endpoints that ask for it how far a running batch has come: at most one `batch.progress` per 30 s and per 5 % of its lines.
 * The event's id follows from the batch and the share, so that of several janitors only one tells it.
 */
export class ProgressNews {
  readonly #world: World;
  readonly #optedIn: OptedIn;

  constructor(world: World) {
    this.#world = world;
    this.#optedIn = new OptedIn(world, 'batch.progress');
  }

  /** Returns whether anybody asks for this batch's news. */
  async tell(
    submit: SubmitObject,
    planOf: () => Promise<WorkPlan | null>,
    decided: ReadonlyMap<number, number>,
  ): Promise<boolean> {
    const { tenant, batchId } = submit;
    const receivers = await this.#optedIn.of(tenant);
    if (receivers.length === 0) return false;
    const plan = await planOf();
    if (!plan) return true;
    const done = plan.shards.reduce((sum, { n, count }) => sum + (decided.has(n) ? count : 0), 0);
    const step = Math.floor(done / plan.lines / bounds.webhookProgressShare);
    if (step === 0) return true;
    const { store, clock } = this.#world;
    const last = await findLastNews(store, tenant, batchId);
    const ms = clock.now();
    if (last && (step <= last.step || ms - last.ms < bounds.webhookProgressMs)) return true;
    const event = await this.#event(submit, step, ms);
    const published = await publishEvent(this.#world, {
      tenant,
      event,
      createdMs: ms,
      batchId,
      receivers,
      retry: 'once',
    });
    await putJson(store, keys.progressNews(tenant, batchId), { v: 1, step, ms } satisfies LastNews);
    if (published) await queueFirstAttempts(this.#world, published);
    return true;
  }

  async #event({ tenant, batchId }: SubmitObject, step: number, ms: number): Promise<WebhookEvent> {
    const { status, request_counts } = await viewBatch(this.#world, tenant, batchId);
    return {
      id: derivedId('event', this.#world.idSecret, batchId, 'progress', String(step)),
      object: 'event',
      type: 'batch.progress',
      created_at: Math.floor(ms / 1000),
      data: { id: batchId, status, request_counts },
    };
  }
}
