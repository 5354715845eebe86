import type { BatchError } from '../../contract/batch-object.js';
import { bounds } from '../../domain/bounds.js';
import type { Claim } from '../../domain/claims.js';
import type { World } from '../world.js';
import type { Held } from './claims.js';
import type { PlanNote } from './planned-lately.js';

type Reader = Pick<World, 'tenants' | 'openBatches'>;

const overQuota = (tokens: number, others: number, allowed: number): BatchError => ({
  code: 'token_limit_exceeded',
  message: `The batch may take ${tokens} tokens, and ${others} are queued already; ${allowed} are allowed. Wait until other batches have ended, split this one, or lower max_tokens.`,
  param: null,
  line: null,
});

/** Tokens of all batches but one. */
function tokensBeside(batchId: string, held: Held): number {
  let sum = 0;
  for (const [id, tokens] of held) if (id !== batchId) sum += tokens;
  return sum;
}

/**
 * The error of a batch of so many tokens if it were planned now; null when there is room. For batches that are only thought of: what
 * was planned in the last two seconds may not be counted.
 */
export async function tokenLimitError(
  { tenants, openBatches }: Reader,
  tenant: string,
  tokens: number,
): Promise<BatchError | null> {
  const { queuedTokens } = tenants.quotas(tenant);
  if (queuedTokens === null) return null;
  if (tokens > queuedTokens) return overQuota(tokens, 0, queuedTokens);
  const isRoom = (held: Held): boolean => tokensBeside('', held) + tokens <= queuedTokens;
  if (isRoom(await openBatches.tokensOf(tenant, bounds.openListAgeMs))) return null;
  const held = await openBatches.tokensNow(tenant);
  return isRoom(held) ? null : overQuota(tokens, tokensBeside('', held), queuedTokens);
}

/** Says that a batch would bring its tenant over its quota of queued tokens. */
export class TokensQueued extends Error {
  readonly error: BatchError;

  constructor(error: BatchError) {
    super('The quota of queued tokens is used up.');
    this.error = error;
  }
}

/**
 * Does what queues so many tokens of a batch, if its tenant may; else throws `TokensQueued`. Plans of the same moment that would use
 * the quota up are waited for: some of them may fail, and a batch that is refused has failed for good.
 *
 * To count the tokens, the plan of each open batch is read. So where a count of a moment ago and what was planned since leave room,
 * they do; only a batch for which they do not is counted anew.
 */
export async function queueTokens<T>(
  world: Reader & Pick<World, 'claims' | 'plannedLately'>,
  tenant: string,
  batchId: string,
  tokens: number,
  queue: () => Promise<T>,
): Promise<T> {
  const { tenants, openBatches, claims, plannedLately } = world;
  const { queuedTokens } = tenants.quotas(tenant);
  if (queuedTokens === null) return queue();
  const refusal = (others: number) => new TokensQueued(overQuota(tokens, others, queuedTokens));
  if (tokens > queuedTokens) throw refusal(0);
  const mine: { note?: PlanNote } = {};
  const held = async (earlier: readonly Claim[]): Promise<Held> => {
    const { others } = (mine.note ??= await plannedLately.note(tenant, tokens));
    if (others !== null) {
      const counted = await openBatches.tokensOf(tenant, bounds.tokensAgeMs);
      // Some are counted twice.
      const all = new Map([...counted, ['planned lately', others]]);
      const underWay = earlier.reduce((sum, { amount }) => sum + amount, 0);
      if (tokensBeside(batchId, all) + underWay + tokens <= queuedTokens) return all;
    }
    return openBatches.tokensNow(tenant);
  };
  const claim = { kind: 'queued-tokens', tenant, id: batchId, amount: tokens, limit: queuedTokens, held, refusal };
  try {
    return await claims.take({ ...claim, waitMs: bounds.planClaimWaitMs }, async () => {
      const done = await queue();
      await mine.note?.written();
      return done;
    });
  } catch (error) {
    mine.note?.dropped();
    throw error;
  }
}
