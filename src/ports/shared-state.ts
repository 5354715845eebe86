/** What the processes of an installation share beside the store and the queue. It may be lost at any time. Every failure throws `queue_unavailable`. */
export interface SharedState {
  /**
   * Whether this process is the one that does `name` for the next `ms`. One process at a time gets true; asking again renews it, so
   * the same one goes on until it stops asking.
   */
  lease(name: string, ms: number): Promise<boolean>;
}
