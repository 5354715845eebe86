import type { Claim } from '../domain/claims.js';
import type { TokenTake } from '../domain/token-bucket.js';
import type { Usage, UsageChange } from '../domain/usage.js';

/**
 * What the processes of an installation share beside the store and the queue. It may be lost at any time. Times are those of one
 * clock, whichever process asks. Every failure throws `queue_unavailable`.
 */
export interface SharedState {
  /**
   * Whether this process is the one that does `name` for the next `ms`. One process at a time gets true; asking again renews it, so
   * the same one goes on until it stops asking.
   */
  lease(name: string, ms: number): Promise<boolean>;
  /** Takes a token from a bucket that holds `perMinute`: see `domain/token-bucket.ts`. */
  takeToken(name: string, perMinute: number): Promise<Pick<TokenTake, 'taken' | 'left'>>;
  /** Tells of a change, and asks: see `domain/usage.ts`. A usage that nobody has asked for in an hour is forgotten. */
  changeUsage(name: string, change: UsageChange, recountMs: number): Promise<Usage>;
  /** Hands in a count that was asked for with `countAs`. */
  settleUsage(name: string, epoch: number, counted: number): Promise<Usage>;
  /**
   * Claims a place, or renews the claim, for `keptMs`. Gives the claims under the same name that were made before it and are neither
   * dropped nor over: see `domain/claims.ts`.
   */
  claim(name: string, claim: Claim, keptMs: number): Promise<readonly Claim[]>;
  /** Drops a claim; whether it was there. */
  unclaim(name: string, claimId: string): Promise<{ readonly wasThere: boolean }>;
}
