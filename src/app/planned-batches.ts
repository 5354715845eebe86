import type { PlanObject, SubmitObject } from '../contract/stored-objects.js';
import type { ObjectStore } from '../ports/object-store.js';
import { findPlan, loadSubmit } from './batch-records.js';

export interface PlannedBatch {
  readonly submit: SubmitObject;
  /** null: not planned yet. */
  readonly plan: PlanObject | null;
}

const keptDefault = 32;

/**
 * What was accepted and planned for the batches looked at last. Both objects never change once they are there, and a plan of a
 * large batch names hundreds of shards: reading it again for each shard would cost more than the shard's own bookkeeping.
 */
export class PlannedBatches {
  readonly #store: ObjectStore;
  readonly #keptMax: number;
  readonly #kept = new Map<string, Promise<PlannedBatch>>();

  constructor(store: ObjectStore, keptMax = keptDefault) {
    this.#store = store;
    this.#keptMax = keptMax;
  }

  /** Throws `not_found` when there is no such batch. Only a batch with a plan is remembered. */
  load(tenant: string, batchId: string): Promise<PlannedBatch> {
    const name = `${tenant}/${batchId}`;
    const known = this.#kept.get(name);
    // Put last again: the first is the one not looked at for longest.
    this.#kept.delete(name);
    const batch = known ?? this.#read(tenant, batchId, name);
    this.#kept.set(name, batch);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return batch;
  }

  forget(tenant: string, batchId: string): void {
    this.#kept.delete(`${tenant}/${batchId}`);
  }

  async #read(tenant: string, batchId: string, name: string): Promise<PlannedBatch> {
    try {
      const [submit, plan] = await Promise.all([
        loadSubmit(this.#store, tenant, batchId),
        findPlan(this.#store, tenant, batchId),
      ]);
      if (plan === null) this.#kept.delete(name);
      return { submit, plan };
    } catch (error) {
      this.#kept.delete(name);
      throw error;
    }
  }
}
