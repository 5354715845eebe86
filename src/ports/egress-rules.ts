/** Where webhooks may go. The sender asks again at each connection, of the very address it connects to. */
export interface EgressRules {
  /**
   * Why webhooks may not go to this URL, in a few words without addresses; null: they may. Names are looked up, and the look-ups
   * are shared out by tenant: rejects with `rate_limit_exceeded` when the tenant has too many under way.
   */
  refusalOf(tenant: string, url: string): Promise<string | null>;
}
