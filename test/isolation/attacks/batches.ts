import { heavySchema } from './live-calls.js';
import type { Attack, Attacker } from './attack.js';

const wrongLine = (at: number): string => {
  const body = `{"model":"eyrie-demo","messages":[${Array.from({ length: 300_000 }, () => '{}').join(',')}]}`;
  return `{"custom_id":"l-${at}","method":"POST","url":"/v1/chat/completions","body":${body}}`;
};

async function create(
  attacker: Attacker,
  fileId: string,
  endpoint: string,
  signal: AbortSignal,
): Promise<string | null> {
  const body = { input_file_id: fileId, endpoint, completion_window: '24h', eyrie: { validation: 'lenient' } };
  try {
    const { status, text } = await attacker.client.call('POST', '/v1/batches', body, { signal });
    attacker.count(`batch ${status}`);
    return status === 200 ? (JSON.parse(text) as { id: string }).id : null;
  } catch {
    return null;
  }
}

/** A file as batches, again and again: `lanes` at once, each until its end. */
const again = (name: string, lanes: number, content: () => string, endpoint = '/v1/completions'): Attack => ({
  name,
  s3: true,
  prepare: async (attacker, signal) => {
    const file = await attacker.client.upload(content(), { timeoutMs: 60_000 });
    return () =>
      attacker.lanes(lanes, signal, async () => {
        const id = await create(attacker, file, endpoint, signal);
        if (id !== null) await attacker.ended(id, signal);
      });
  },
});

export const batchAttacks: readonly Attack[] = [
  again(
    '20 batch lines of wrong elements',
    2,
    () => Array.from({ length: 20 }, (_, at) => wrongLine(at)).join('\n'),
    '/v1/chat/completions',
  ),
  {
    name: 'two batches of 50 heavy schemas',
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.lanes(2, signal, async (lane, round) => {
          const requests = Array.from({ length: 50 }, (_, at) =>
            attacker.request(at, { guided_json: heavySchema(`s${lane}x${round}x${at}`) }),
          );
          const id = await attacker.batch(requests, signal);
          if (id !== null) await attacker.ended(id, signal);
        }),
      ),
  },
  again('batches of 50,000 wrong lines', 2, () => Array.from({ length: 50_000 }, () => '{"custom_id":1}').join('\n')),
  again('batches of 30,000 right lines', 3, () =>
    Array.from({ length: 30_000 }, (_, at) =>
      JSON.stringify({
        custom_id: `r-${at}`,
        method: 'POST',
        url: '/v1/completions',
        body: { model: 'eyrie-demo', prompt: [at % 300, 17], max_tokens: 2, temperature: 0 },
      }),
    ).join('\n'),
  ),
  {
    name: 'thousands of small batches',
    s3: true,
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.lanes(16, signal, (lane, round) => attacker.batch([attacker.request(lane * 1e6 + round)], signal)),
      ),
  },
  {
    name: 'cancel and retry storm',
    prepare: async (attacker, signal) => {
      const done = await attacker.batch(
        [attacker.request(1), attacker.request(2, { temperature: 5 }), attacker.request(3, { top_p: 9 })],
        signal,
      );
      if (done !== null) await attacker.ended(done, signal);
      return () =>
        attacker.lanes(12, signal, async (lane, round) => {
          if (lane < 4) {
            await attacker.call('POST', `/v1/batches/${done}/retry_failed`, { include: 'all' }, { signal });
            await attacker.call('GET', `/v1/batches/${done}/results?merge=true&limit=1000`, undefined, { signal });
            return;
          }
          const id = await attacker.batch([attacker.request(lane * 1e6 + round, { max_tokens: 400 })], signal);
          if (id === null) return;
          const path = `/v1/batches/${id}`;
          await Promise.all([
            attacker.call('POST', `${path}/cancel`, undefined, { signal }),
            attacker.call('POST', `${path}/cancel`, undefined, { signal }),
            attacker.call('DELETE', path, undefined, { signal }),
            attacker.call('POST', `${path}/retry_failed`, { include: 'all' }, { signal }),
          ]);
        });
    },
  },
];
