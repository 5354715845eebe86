import type { BatchError } from '../../contract/batch-object.js';
import { bounds } from '../../domain/bounds.js';
import type { Claim } from '../../domain/claims.js';
import type { World } from '../world.js';
import type { Held } from './claims.js';

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

/** The error of a batch of so many tokens if it were planned now; null when there is room. For batches that are only thought of. */
export async function tokenLimitError(
  { tenants, openBatches }: Reader,
  tenant: string,
  tokens: number,
): Promise<BatchError | null> {
  const { queuedTokens } = tenants.quotas(tenant);
  if (queuedTokens === null) return null;
  if (tokens > queuedTokens) return overQuota(tokens, 0, queuedTokens);
  const isRoom = (held: Held): boolean => tokensBeside('', held) + tokens <= queuedTokens;
  if (isRoom(await openBatches.tokensOf(tenant, bounds.tokensAgeMs))) return null;
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
 * Batches that were planned of late, in Redis: what an older count of tokens has not seen. An entry is made before the plan, and
 * renewed after it, so that it is there for longer than a count is used.
 */
class PlannedLately {
  readonly #shared: World['quickShared'];
  readonly #name: string;
  readonly #entry: Claim;

  constructor(
    { quickShared, ids }: Pick<World, 'quickShared' | 'ids'>,
    tenant: string,
    batchId: string,
    tokens: number,
  ) {
    this.#shared = quickShared;
    this.#name = `planned:${tenant}`;
    this.#entry = { claimId: ids.next('request'), id: batchId, amount: tokens };
  }

  /** Makes or renews this batch's entry. Gives those made before it; null while Redis is away. */
  enter(): Promise<readonly Claim[] | null> {
    return this.#shared.ask((shared) => shared.claim(this.#name, this.#entry, bounds.plannedKeptMs));
  }

  async leave(): Promise<void> {
    await this.#shared.ask((shared) => shared.unclaim(this.#name, this.#entry.claimId));
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
  world: Reader & Pick<World, 'claims' | 'quickShared' | 'ids'>,
  tenant: string,
  batchId: string,
  tokens: number,
  queue: () => Promise<T>,
): Promise<T> {
  const { tenants, openBatches, claims } = world;
  const { queuedTokens } = tenants.quotas(tenant);
  if (queuedTokens === null) return queue();
  const refusal = (others: number) => new TokensQueued(overQuota(tokens, others, queuedTokens));
  if (tokens > queuedTokens) throw refusal(0);
  const lately = new PlannedLately(world, tenant, batchId, tokens);
  const held = async (): Promise<Held> => {
    const since = await lately.enter();
    if (since) {
      const counted = await openBatches.tokensOf(tenant, bounds.tokensAgeMs);
      const all = new Map([...counted, ...since.map(({ id, amount }) => [id, amount] as const)]);
      if (tokensBeside(batchId, all) + tokens <= queuedTokens) return all;
    }
    return openBatches.tokensNow(tenant);
  };
  const claim = { kind: 'queued-tokens', tenant, id: batchId, amount: tokens, limit: queuedTokens, held, refusal };
  try {
    return await claims.take({ ...claim, waitMs: bounds.planClaimWaitMs }, async () => {
      const done = await queue();
      await lately.enter();
      return done;
    });
  } catch (error) {
    await lately.leave();
    throw error;
  }
}
