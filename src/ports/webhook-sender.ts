export interface WebhookPost {
  /** Whose event it is: what posts need is shared out by tenant. */
  readonly tenant: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
}

/** `status` is null when there was no answer; then `error` says why in a few words without addresses or secrets. */
export interface WebhookAnswer {
  readonly status: number | null;
  readonly error: string | null;
  /** From `Retry-After`, in ms; null when absent. */
  readonly retryAfterMs: number | null;
}

/** Posts to the outside world under the egress rules (no private addresses unless allowed, no redirects). Never throws. */
export interface WebhookSender {
  post(request: WebhookPost): Promise<WebhookAnswer>;
}
