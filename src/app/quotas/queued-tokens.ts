import type { BatchError } from '../../contract/batch-object.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';

type Reader = Pick<World, 'store' | 'records' | 'tenants'>;

/** Tokens of the tenant's planned batches that have not ended, but for one. */
async function tokensOfOthers({ store, records }: Reader, tenant: string, except: string): Promise<number> {
  const prefix = keys.openBatchesOf(tenant);
  let tokens = 0;
  let after: string | null = null;
  do {
    const page = await store.list(prefix, after === null ? {} : { after });
    for (const { key } of page.objects) {
      const batchId = key.slice(prefix.length);
      if (batchId === except || !isId('batch', batchId)) continue;
      const plan = await records.plan(tenant, batchId);
      if (plan?.kind === 'work' && !(await records.manifest(tenant, batchId))) tokens += plan.tokens;
    }
    after = page.next;
  } while (after !== null);
  return tokens;
}

/**
 * The error of a batch that would bring its tenant over its quota of queued tokens; null when there is room. Batches that are
 * validated at the same moment do not see each other, so the quota may be passed by those.
 */
export async function tokenLimitError(
  world: Reader,
  tenant: string,
  batchId: string,
  tokens: number,
): Promise<BatchError | null> {
  const { queuedTokens } = world.tenants.quotas(tenant);
  if (queuedTokens === null) return null;
  const others = tokens > queuedTokens ? 0 : await tokensOfOthers(world, tenant, batchId);
  if (others + tokens <= queuedTokens) return null;
  return {
    code: 'token_limit_exceeded',
    message: `The batch may take ${tokens} tokens, and ${others} are queued already; ${queuedTokens} are allowed. Wait until other batches have ended, split this one, or lower max_tokens.`,
    param: null,
    line: null,
  };
}
