import { z } from 'zod';
import type { Attempt } from '../../contract/stored-webhooks.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { getJson, putJson } from '../stored-json.js';
import type { World } from '../world.js';
import { isGone, succeeded } from './after-attempt.js';
import { disableEndpoint } from './update-endpoint.js';

/** Present while an endpoint fails: nothing has reached it since then. */
const failing = z.object({ v: z.literal(1), sinceMs: z.number(), attempts: z.number().int() });

/** One that is seldom told anything is not given up for two or three bad moments. */
const failingAttemptsMin = 10;

/**
 * Draws the conclusions of an attempt for the endpoint: 410 disables it, and so do days in which nothing reached it, however much
 * was sent. Whoever writes last counts; a count that is a little wrong harms nobody.
 */
export async function noteHealth(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  endpointId: string,
  attempt: Attempt,
): Promise<void> {
  try {
    if (isGone(attempt)) return await disableEndpoint(world, tenant, endpointId, 'gone');
    const key = keys.webhookEndpointFailing(tenant, endpointId);
    const before = await getJson(world.store, key, failing);
    if (succeeded(attempt)) return await (before ? world.store.delete(key) : undefined);
    const sinceMs = before?.sinceMs ?? attempt.startedMs;
    const attempts = (before?.attempts ?? 0) + 1;
    if (attempts >= failingAttemptsMin && attempt.startedMs - sinceMs >= bounds.webhookFailingMs)
      await disableEndpoint(world, tenant, endpointId, 'failing');
    else await putJson(world.store, key, { v: 1, sinceMs, attempts });
  } catch (error) {
    if (error instanceof EyrieError && error.code === 'not_found') return; // deleted meanwhile
    throw error;
  }
}
