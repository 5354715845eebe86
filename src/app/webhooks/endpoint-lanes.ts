import { bounds } from '../../domain/bounds.js';
import type { Job } from '../../ports/job-queue.js';

/** More wait in the queue than are remembered here; the janitor brings those that are forgotten. */
const waitingMax = 10_000;

interface Lane {
  posts: number;
  readonly waiting: Map<string, Job>;
}

/**
 * Bounds the posts to one endpoint at once, so that one that hangs does not take the places of all others. A delivery that finds
 * its lane full steps aside: its job ends and is queued again when a post of that lane has ended.
 */
export class EndpointLanes {
  readonly #lanes = new Map<string, Lane>();

  /** False: the lane is full, and the job is remembered. True: `leave` must follow. */
  enter(endpoint: string, job: Job): boolean {
    const lane = this.#lanes.get(endpoint) ?? { posts: 0, waiting: new Map<string, Job>() };
    this.#lanes.set(endpoint, lane);
    if (lane.posts >= bounds.webhookPostsPerEndpoint) {
      if (lane.waiting.size < waitingMax) lane.waiting.set(job.id, job);
      return false;
    }
    lane.posts++;
    return true;
  }

  /** Returns the job that is next, to be queued again. */
  leave(endpoint: string): Job | null {
    const lane = this.#lanes.get(endpoint);
    if (!lane) return null;
    lane.posts--;
    const [next] = lane.waiting.values();
    if (next) lane.waiting.delete(next.id);
    else if (lane.posts === 0) this.#lanes.delete(endpoint);
    return next ?? null;
  }
}
