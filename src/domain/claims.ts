/**
 * Claims on what a limit leaves room for: who is about to make a thing that counts, in the order of asking. A claim says what is about to be there
 * (`id`, `amount`); it is dropped when the act is over, or by itself once nobody has renewed it for as long as it is kept.
 */
export interface Claim {
  /** Of this one call; a repeat of the call makes another claim about the same thing. */
  readonly claimId: string;
  /** The thing that will be in the store. */
  readonly id: string;
  readonly amount: number;
}

interface KeptClaim extends Claim {
  readonly order: number;
  readonly untilMs: number;
}

export type ClaimsState = readonly KeptClaim[];

/** Adds a claim, or renews it where it stands, and gives those before it, oldest first. */
export function addClaim(
  known: ClaimsState,
  claim: Claim,
  nowMs: number,
  keptMs: number,
): { readonly state: ClaimsState; readonly earlier: readonly Claim[] } {
  const live = known.filter(({ untilMs }) => untilMs > nowMs);
  const own = live.find(({ claimId }) => claimId === claim.claimId);
  const order = own?.order ?? Math.max(0, ...live.map((other) => other.order)) + 1;
  const others = live.filter((other) => other !== own);
  return {
    state: [...others, { ...claim, order, untilMs: nowMs + keptMs }],
    earlier: others.filter((other) => other.order < order).toSorted((a, b) => a.order - b.order),
  };
}

export const dropClaim = (known: ClaimsState, claimId: string): ClaimsState =>
  known.filter((claim) => claim.claimId !== claimId);
