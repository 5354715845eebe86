/** Where webhooks may go. The sender asks again at each connection, of the very address it connects to. */
export interface EgressRules {
  /**
   * Why webhooks may not go to this URL, in a few words without addresses; null: they may. A name that cannot be looked up now is
   * let through: whether its address is allowed shows when it is sent to.
   */
  refusalOf(url: string): Promise<string | null>;
}
