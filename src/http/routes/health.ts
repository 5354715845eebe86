import { z } from 'zod';
import type { World } from '../../app/world.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode, EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

const part = z.enum(['ok', 'unavailable']);
const health = z.object({ status: z.literal('ok') });
/** `full`: what is stored can be read and deleted, and nothing new fits. */
const storePart = z.enum(['ok', 'full', 'unavailable']);
/** `degraded`: results are read, but work waits for the queue, or nothing new is accepted because the store is full. */
const readiness = z.object({ status: z.enum(['ready', 'degraded', 'unavailable']), store: storePart, queue: part });
type Readiness = z.output<typeof readiness>;

/** An answer is used again for this long: probes come often and from many sides. */
const freshMs = 1000;
const probeMs = 5000;

async function storeIsFull({ store, log }: World): Promise<boolean> {
  try {
    const free = (await store.freeBytes?.()) ?? Infinity;
    if (free >= bounds.storeFreeBytesMin) return false;
    log.warn('http.not_ready', { part: 'store', code: 'disk_full', freeBytes: free });
    return true;
  } catch {
    // That it does not answer is what the other look finds.
    return false;
  }
}

function readinessProbe(world: World): () => Promise<Readiness> {
  const works = async (name: string, probe: Promise<unknown>): Promise<'ok' | 'unavailable'> => {
    const answered = new AbortController();
    const late = world.clock.sleep(probeMs, answered.signal).then(() => {
      throw new EyrieError('service_unavailable', `The ${name} gave no answer in ${probeMs} ms.`);
    });
    try {
      await Promise.race([probe, late]);
      return 'ok';
    } catch (error) {
      world.log.warn('http.not_ready', { part: name, code: errorCode(error) });
      return 'unavailable';
    } finally {
      answered.abort();
    }
  };
  let probed: { readonly atMs: number; readonly result: Promise<Readiness> } | null = null;
  const probe = async (): Promise<Readiness> => {
    const [answers, isFull, queue] = await Promise.all([
      works('store', world.store.list(keys.openBatches, { limit: 1 })),
      storeIsFull(world),
      works('queue', world.queue.backlog('plan')),
    ]);
    const store = answers === 'ok' && isFull ? 'full' : answers;
    if (store === 'unavailable') return { status: 'unavailable', store, queue };
    return { status: store === 'ok' && queue === 'ok' ? 'ready' : 'degraded', store, queue };
  };
  return () => {
    const now = world.clock.monotonic();
    if (!probed || now - probed.atMs > freshMs) probed = { atMs: now, result: probe() };
    return probed.result;
  };
}

/** `/health`: the process answers. `/ready`: it can do its work; 503 when the object store is away. */
export function healthRoutes(world: World): ApiRoute[] {
  const probe = readinessProbe(world);
  return [
    defineRoute({
      method: 'GET',
      path: '/health',
      summary: 'Whether the process answers',
      access: 'public',
      answer: health,
      handle: () => ({ status: 'ok' }),
    }),
    defineRoute({
      method: 'GET',
      path: '/ready',
      summary: 'Whether the service can do its work',
      access: 'public',
      answer: readiness,
      handle: async ({ reply }) => {
        const found = await probe();
        return reply.code(found.status === 'unavailable' ? 503 : 200).send(found);
      },
    }),
  ];
}
