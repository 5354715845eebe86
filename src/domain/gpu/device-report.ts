export interface DeviceReport {
  /** Instruction sets that this CPU can run, best first. */
  readonly cpu: readonly string[];
  readonly cards: readonly {
    readonly name: string;
    readonly computeCapability: string;
    readonly memoryBytes: number;
    readonly freeBytes: number;
  }[];
  /** Why there are none; null where there are. */
  readonly whyNoCards: string | null;
  /** The comparison of the first card's operations with the CPU's; null without a card. */
  readonly check:
    | { readonly ok: true; readonly checks: number; readonly seconds: number }
    | { readonly ok: false; readonly message: string }
    | null;
}
