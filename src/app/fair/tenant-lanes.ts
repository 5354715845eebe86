import type { Job } from '../../ports/job-queue.js';

interface Lane {
  active: number;
  readonly waiting: Map<string, Job>;
}

export interface TenantLanesRules {
  /** Jobs of one tenant that are done at once. */
  readonly perTenant: number;
  /** More of a tenant's jobs may wait than are remembered here; a sweep brings those that are forgotten. */
  readonly remembered: number;
}

/**
 * Bounds how many jobs of one tenant a process does at once, so that they leave places for those of others. A job that finds its lane
 * full steps aside: it ends, and is queued again when one of its tenant's has ended.
 */
export class TenantLanes {
  readonly #rules: TenantLanesRules;
  readonly #lanes = new Map<string, Lane>();

  constructor(rules: TenantLanesRules) {
    this.#rules = rules;
  }

  hasRoom(tenant: string): boolean {
    return (this.#lanes.get(tenant)?.active ?? 0) < this.#rules.perTenant;
  }

  /** False: the lane is full, and the job is remembered. True: `leave` must follow. */
  enter(tenant: string, job: Job): boolean {
    const lane = this.#lanes.get(tenant) ?? { active: 0, waiting: new Map<string, Job>() };
    this.#lanes.set(tenant, lane);
    if (lane.active >= this.#rules.perTenant) {
      if (lane.waiting.size < this.#rules.remembered) lane.waiting.set(job.id, job);
      return false;
    }
    lane.active++;
    return true;
  }

  /** Returns the job that is next, to be queued again: of those that wait the smallest, then the oldest. */
  leave(tenant: string): Job | null {
    const lane = this.#lanes.get(tenant);
    if (!lane) return null;
    lane.active--;
    let next: Job | null = null;
    for (const job of lane.waiting.values())
      if (next === null || (job.flow?.cost ?? 1) < (next.flow?.cost ?? 1)) next = job;
    if (next) lane.waiting.delete(next.id);
    else if (lane.active === 0) this.#lanes.delete(tenant);
    return next;
  }
}
