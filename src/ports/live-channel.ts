export interface ListenHandlers {
  readonly onMessage: (text: string) => void;
  /** Messages may have been lost, and no more will come. Called once at most, with `queue_unavailable`. */
  readonly onLost: (error: Error) => void;
}

export interface Listener {
  /** Nothing arrives afterwards. Never throws. */
  close(): Promise<void>;
}

/**
 * Messages between a process that waits for an answer and the worker that makes it. Nothing is kept: a message reaches those who
 * listen at that moment. Messages of one sender arrive in order; after a broken connection one may arrive twice.
 */
export interface LiveChannel {
  /**
   * Resolves once every message that is sent from now on will arrive. A topic has one listener in a process at most. Throws
   * `queue_unavailable`.
   */
  listen(topic: string, handlers: ListenHandlers): Promise<Listener>;
  /**
   * Returns how many listen, as far as it can be seen: 0 means that nobody ever gets this message; 1 and more, that somebody listens
   * or did until a few seconds ago. Throws `queue_unavailable`.
   */
  send(topic: string, text: string): Promise<number>;
}
