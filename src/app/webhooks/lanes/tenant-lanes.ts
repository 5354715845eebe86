import type { Job } from '../../../ports/job-queue.js';
import type { LaneRules } from './lane-rules.js';

/** Receivers of a tenant that are remembered as fast. */
const provenMax = 1000;

interface Lane {
  active: number;
  readonly waiting: Map<string, Job>;
}

/**
 * The deliveries of one tenant, in a lane for each receiver. Receivers that have just shown to be fast have places of their own: the
 * tenant's endpoints that hang, or have not been tried yet, do not take these.
 */
export class TenantLanes {
  active = 0;
  waiting = 0;
  readonly #rules: LaneRules;
  readonly #lanes = new Map<string, Lane>();
  readonly #proven = new Set<string>();
  #unproven = 0;

  constructor(rules: LaneRules) {
    this.#rules = rules;
  }

  /** Nothing is under way, waits or is remembered. */
  get empty(): boolean {
    return this.active === 0 && this.waiting === 0 && this.#proven.size === 0;
  }

  /** `most`: places that the tenant may have now. */
  hasRoom(receiver: string, most: number): boolean {
    const { perReceiver, perUnproven, unprovenShare } = this.#rules;
    const active = this.#lanes.get(receiver)?.active ?? 0;
    if (this.active >= most) return false;
    if (this.#proven.has(receiver)) return active < perReceiver;
    return active < perUnproven && this.#unproven < Math.max(1, Math.floor(most * unprovenShare));
  }

  /** Begins a delivery. What it gives ends it; it is passed how long that took. */
  begin(receiver: string, id: string): (ms: number) => void {
    const lane = this.#laneOf(receiver);
    if (lane.waiting.delete(id)) this.waiting--;
    const wasProven = this.#proven.has(receiver);
    lane.active++;
    this.active++;
    if (!wasProven) this.#unproven++;
    return (ms) => {
      lane.active--;
      this.active--;
      if (!wasProven) this.#unproven--;
      this.#proven.delete(receiver);
      if (ms <= this.#rules.slowMs) this.#proven.add(receiver);
      const [oldest] = this.#proven;
      if (this.#proven.size > provenMax && oldest !== undefined) this.#proven.delete(oldest);
      this.#tidy(receiver, lane);
    };
  }

  /** Remembers a delivery until it has room. Returns false when that, or another of the tenant's in its place, is forgotten. */
  remember(receiver: string, job: Job): boolean {
    const lane = this.#laneOf(receiver);
    if (lane.waiting.has(job.id)) return true;
    let kept = true;
    if (this.waiting >= this.#rules.waitingPerTenant) {
      kept = false;
      const [name, longest] = this.#longest();
      if (longest.waiting.size <= lane.waiting.size + 1) {
        this.#tidy(receiver, lane);
        return false;
      }
      const [oldest] = longest.waiting.keys();
      if (oldest !== undefined && longest.waiting.delete(oldest)) this.waiting--;
      this.#tidy(name, longest);
    }
    lane.waiting.set(job.id, job);
    this.waiting++;
    return kept;
  }

  /** Takes out a delivery that waits and has room now: lanes in turn, each in its order. */
  takeNext(most: number): Job | null {
    if (this.waiting === 0 || this.active >= most) return null;
    for (const [receiver, lane] of this.#lanes) {
      const [job] = lane.waiting.values();
      if (!job || !this.hasRoom(receiver, most)) continue;
      lane.waiting.delete(job.id);
      this.waiting--;
      // To the end: the others come first the next time.
      this.#lanes.delete(receiver);
      if (lane.active > 0 || lane.waiting.size > 0) this.#lanes.set(receiver, lane);
      return job;
    }
    return null;
  }

  #laneOf(receiver: string): Lane {
    let lane = this.#lanes.get(receiver);
    if (!lane) this.#lanes.set(receiver, (lane = { active: 0, waiting: new Map() }));
    return lane;
  }

  #tidy(receiver: string, lane: Lane): void {
    if (lane.active === 0 && lane.waiting.size === 0) this.#lanes.delete(receiver);
  }

  #longest(): [string, Lane] {
    let found: [string, Lane] = ['', { active: 0, waiting: new Map() }];
    for (const entry of this.#lanes) if (entry[1].waiting.size > found[1].waiting.size) found = entry;
    return found;
  }
}
