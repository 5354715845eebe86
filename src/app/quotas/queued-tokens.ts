import type { BatchError } from '../../contract/batch-object.js';
import { bounds } from '../../domain/bounds.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { listAll } from '../list-all.js';
import type { World } from '../world.js';
import type { Held } from './claims.js';

type Reader = Pick<World, 'store' | 'records' | 'tenants' | 'claims'>;

/** Tokens of the tenant's planned batches that have not ended. */
async function tokensOfBatches({ store, records }: Pick<Reader, 'store' | 'records'>, tenant: string): Promise<Held> {
  const prefix = keys.openBatchesOf(tenant);
  const tokens = new Map<string, number>();
  for await (const { key } of listAll(store, prefix)) {
    const batchId = key.slice(prefix.length);
    if (!isId('batch', batchId)) continue;
    const plan = await records.plan(tenant, batchId);
    if (plan?.kind === 'work' && !(await records.manifest(tenant, batchId))) tokens.set(batchId, plan.tokens);
  }
  return tokens;
}

const overQuota = (tokens: number, others: number, allowed: number): BatchError => ({
  code: 'token_limit_exceeded',
  message: `The batch may take ${tokens} tokens, and ${others} are queued already; ${allowed} are allowed. Wait until other batches have ended, split this one, or lower max_tokens.`,
  param: null,
  line: null,
});

/** The error of a batch of so many tokens if it were planned now; null when there is room. For batches that are only thought of. */
export async function tokenLimitError(
  world: Pick<World, 'store' | 'records' | 'tenants'>,
  tenant: string,
  batchId: string,
  tokens: number,
): Promise<BatchError | null> {
  const { queuedTokens } = world.tenants.quotas(tenant);
  if (queuedTokens === null) return null;
  let others = 0;
  if (tokens <= queuedTokens)
    for (const [id, amount] of await tokensOfBatches(world, tenant)) if (id !== batchId) others += amount;
  return others + tokens <= queuedTokens ? null : overQuota(tokens, others, queuedTokens);
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
 */
export async function queueTokens<T>(
  world: Reader,
  tenant: string,
  batchId: string,
  tokens: number,
  queue: () => Promise<T>,
): Promise<T> {
  const { queuedTokens } = world.tenants.quotas(tenant);
  if (queuedTokens === null) return queue();
  const refusal = (others: number) => new TokensQueued(overQuota(tokens, others, queuedTokens));
  if (tokens > queuedTokens) throw refusal(0);
  return world.claims.take(
    {
      kind: 'queued-tokens',
      tenant,
      id: batchId,
      amount: tokens,
      limit: queuedTokens,
      held: () => tokensOfBatches(world, tenant),
      refusal,
      waitMs: bounds.planClaimWaitMs,
    },
    queue,
  );
}
