import { bounds } from '../../../domain/bounds.js';

export interface LaneRules {
  /** Deliveries at once. A tenant gets an eighth at most of those that are free, and always one. */
  readonly places: number;
  /** Of a tenant of weight 1. */
  readonly perTenant: number;
  readonly perReceiver: number;
  /** To a receiver that was slow the last time, or that nothing is known of. */
  readonly perUnproven: number;
  /** Part of a tenant's places that deliveries to such receivers get together. */
  readonly unprovenShare: number;
  /** A delivery that takes longer was slow. */
  readonly slowMs: number;
  /** Deliveries of a tenant that are remembered while they wait. */
  readonly waitingPerTenant: number;
}

export const postRules: LaneRules = Object.freeze({
  places: bounds.webhookPosts,
  perTenant: bounds.webhookPostsPerTenant,
  perReceiver: bounds.webhookPostsPerEndpoint,
  perUnproven: bounds.webhookPostsPerUnproven,
  unprovenShare: 0.5,
  slowMs: bounds.webhookSlowMs,
  waitingPerTenant: bounds.webhookWaitingPerTenant,
});

/** Copies take as long as their results are large; a tenant has one outbox. */
export const copyRules: LaneRules = Object.freeze({
  places: bounds.outboxCopies,
  perTenant: bounds.outboxCopiesPerTenant,
  perReceiver: bounds.outboxCopiesPerTenant,
  perUnproven: bounds.outboxCopiesPerTenant,
  unprovenShare: 1,
  slowMs: Infinity,
  waitingPerTenant: bounds.webhookWaitingPerTenant,
});
