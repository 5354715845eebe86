import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../support/programs/client.js';
import type { Attack, Attacker } from './attack.js';

/** So many files of a line, side by side. */
async function makeFiles(client: Client, files: number, signal: AbortSignal): Promise<void> {
  for (let made = 0; made < files && !signal.aborted; made += 20)
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => client.upload(`{"a":${made + at}}`, { signal }).catch(() => undefined)),
    );
}

/** A batch of lines that are all refused, each with a text of its own, and so many retries of it, each of which fails again. */
async function familyOfRetries(
  attacker: Attacker,
  lines: number,
  retries: number,
  signal: AbortSignal,
): Promise<string | null> {
  const content = Array.from({ length: lines }, (_, at) =>
    JSON.stringify({ ...attacker.request(at, { temperature: 5 }), method: 'POST', url: '/v1/completions' }),
  ).join('\n');
  const create = {
    input_file_id: await attacker.client.upload(content, { signal }),
    endpoint: '/v1/completions',
    completion_window: '24h',
    eyrie: { validation: 'lenient' },
  };
  const { id } = await attacker.client.json<{ id: string }>('POST', '/v1/batches', create, { signal });
  await attacker.ended(id, signal);
  for (let made = 0; made < retries; made++)
    await attacker.call('POST', `/v1/batches/${id}/retry_failed`, { include: 'all' }, { signal });
  return id;
}

export const manyThings: readonly Attack[] = [
  {
    name: 'HEAD of lists, and lists whose callers leave',
    s3: true,
    prepare: async (attacker, signal) => {
      await makeFiles(attacker.client, 300, signal);
      const paths = [
        '/v1/files?limit=10000',
        '/v1/batches?limit=100',
        '/v1/files?limit=1&order=asc&purpose=batch_output',
        '/v1/reports?limit=100',
      ];
      return () =>
        attacker.lanes(64, signal, (lane, round) => {
          const path = paths[(lane + round) % paths.length] ?? '';
          return lane % 2 === 0
            ? attacker.call('HEAD', path, undefined, { signal })
            : // Not faster: each takes a port of the attacker's for a minute.
              attacker.leave(['GET', path], 100 + 2 * lane, signal);
        });
    },
  },
  {
    name: 'files without end, and lists that pass over them',
    s3: true,
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.lanes(28, signal, async (lane, round) => {
          if (lane < 24) {
            await attacker.client
              .upload(`{"a":${lane * 1e6 + round}}`, { signal })
              .then(() => attacker.count('file'))
              .catch(() => attacker.count('no file'));
            return;
          }
          const order = lane % 2 === 0 ? 'asc' : 'desc';
          const path = `/v1/files?limit=1&purpose=batch_output&order=${order}`;
          await attacker.call('GET', path, undefined, { signal });
        }),
      ),
  },
  {
    name: 'merged results of many retries',
    s3: true,
    prepare: async (attacker, signal) => {
      const id = await familyOfRetries(attacker, 600, 40, signal);
      return () =>
        attacker.lanes(16, signal, (lane) => {
          const path = `/v1/batches/${id}/results?limit=1000&merge=true`;
          return lane < 8
            ? attacker.call('GET', path, undefined, { signal })
            : attacker.leave(['GET', path], 100 + 2 * lane, signal);
        });
    },
  },
  {
    name: 'large batches that are cancelled at once',
    s3: true,
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.lanes(6, signal, async (lane, round) => {
          const requests = Array.from({ length: 500 }, (_, at) =>
            attacker.request(at, { max_tokens: 1 + ((at * 37) % 400), seed: lane * 1e6 + round }),
          );
          const id = await attacker.batch(requests, signal);
          if (id === null) return;
          await sleep(100 * lane);
          await attacker.call('POST', `/v1/batches/${id}/cancel`, undefined, { signal });
        }),
      ),
  },
];
