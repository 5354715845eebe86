import type { Client } from '../../support/programs/client.js';
import type { Attack, Attacker } from './attack.js';

/** Quotas of the tenant with `limitedKey`. */
export const limitedQuotas = { openBatches: 5, queuedTokens: 20_000 };
const endpointsMax = 50;
const reportsMax = 1000;
const atOnce = 60;

const manyAtOnce = (step: (at: number) => Promise<unknown>): Promise<unknown> =>
  Promise.all(Array.from({ length: atOnce }, (_, at) => step(at)));

async function count(client: Client, path: string, matches: (item: { status?: string }) => boolean): Promise<number> {
  let found = 0;
  for (let after = ''; ;) {
    const { data, has_more } = await client.json<{ data: { id: string; status?: string }[]; has_more: boolean }>(
      'GET',
      `${path}?limit=100${after}`,
    );
    found += data.filter(matches).length;
    const last = data.at(-1);
    if (!has_more || !last) return found;
    after = `&after=${last.id}`;
  }
}

const isOpen = ({ status = '' }: { status?: string }): boolean =>
  ['validating', 'in_progress', 'finalizing', 'cancelling'].includes(status);

const clients = new WeakMap<Attacker, Client>();

export const limitAttacks: readonly Attack[] = [
  {
    name: 'parallel creates beyond the limits',
    prepare: (attacker, signal) => {
      const client = attacker.another(attacker.target.limitedKey);
      clients.set(attacker, client);
      const long = { max_tokens: 500, ignore_eos: true, n: 2 };
      const post = async (path: string, body: object): Promise<void> => {
        const { status } = await client.call('POST', path, body, { signal }).catch(() => ({ status: 0 }));
        attacker.count(`${path} ${status}`);
      };
      const tries = async (): Promise<void> => {
        for (let round = 0; !signal.aborted; round++) {
          await manyAtOnce((at) => attacker.batch([attacker.request(round * 100 + at, long)], signal, client));
          const open = await count(client, '/v1/batches', isOpen);
          if (open > limitedQuotas.openBatches)
            attacker.violate(`${open} open batches, ${limitedQuotas.openBatches} are allowed`);
          await manyAtOnce((at) => post('/v1/webhook_endpoints', { url: `http://127.0.0.1:9/${round}/${at}` }));
          await manyAtOnce((at) =>
            post('/v1/reports', { completion_id: `cmpl-${round}x${at}`, reason: 'false', comment: `${round} ${at}` }),
          );
        }
      };
      return Promise.resolve(tries);
    },
    after: async (attacker) => {
      const client = clients.get(attacker);
      if (!client) return;
      const made = await count(client, '/v1/webhook_endpoints', () => true);
      if (made > endpointsMax) attacker.violate(`${made} endpoints, ${endpointsMax} are allowed`);
      const reports = await count(client, '/v1/reports', () => true);
      if (reports > reportsMax) attacker.violate(`${reports} reports, ${reportsMax} are allowed`);
    },
  },
];
