/** Why work on a shard was stopped before its end. The first cause wins; `signal.reason` of a shard is always one of these. */
export const stopCauses = ['user_cancel', 'deadline', 'lease_lost', 'shutdown'] as const;
export type StopCause = (typeof stopCauses)[number];

export const isStopCause = (value: unknown): value is StopCause => stopCauses.includes(value as StopCause);

/**
 * `user_cancel` and `deadline` decide the shard: unfinished lines become errors and the part is written. `lease_lost` and
 * `shutdown` only end this attempt: nothing is written and another worker does the shard again.
 */
export const decidesShard = (cause: StopCause): cause is 'user_cancel' | 'deadline' =>
  cause === 'user_cancel' || cause === 'deadline';
