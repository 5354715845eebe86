import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { toApiKey } from '../../../src/domain/api-key.js';
import { idPrefixes } from '../../../src/domain/ids.js';
import type { Attack, Attacker } from './attack.js';
import { largeFile } from './sockets.js';

/** A batch that has ended, with some lines. */
async function endedBatch(attacker: Attacker, lines: number, signal: AbortSignal): Promise<string> {
  const id = await attacker.batch(
    Array.from({ length: lines }, (_, at) => attacker.request(at, { logprobs: 5 })),
    signal,
  );
  if (id !== null) await Promise.race([attacker.ended(id, signal), sleep(60_000)]);
  return id ?? 'batch_none';
}

/** Calls of a fixed list, in turn. */
const reading = (
  name: string,
  lanes: number,
  prepare: (
    attacker: Attacker,
    signal: AbortSignal,
  ) => Promise<(lane: number, round: number) => readonly [string, string, Record<string, string>?]>,
  s3?: true,
): Attack => ({
  name,
  ...(s3 ? { s3 } : {}),
  prepare: async (attacker, signal) => {
    const next = await prepare(attacker, signal);
    return () =>
      attacker.lanes(lanes, signal, async (lane, round) => {
        const [method, path, headers = {}] = next(lane, round);
        await attacker.call(method, path, undefined, { signal, headers });
      });
  },
});

export const readAttacks: readonly Attack[] = [
  {
    name: 'dry runs of 67 MB side by side',
    s3: true,
    prepare: async (attacker, signal) => {
      const content = largeFile(attacker.target.model, 67 * 1000 * 1000, 1400);
      const input_file_id = await attacker.client.upload(content, { timeoutMs: 100_000 });
      const body = { input_file_id, endpoint: '/v1/completions', completion_window: '24h', eyrie: { dry_run: true } };
      return () =>
        attacker.lanes(8, signal, async () => {
          await attacker.call('POST', '/v1/batches', body, { signal });
          await sleep(50);
        });
    },
  },
  reading(
    'lists and deep pages',
    32,
    async (attacker, signal) => {
      await Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          attacker.client.upload(`{"a":${at}}`, { signal }).catch(() => undefined),
        ),
      );
      return (lane, round) =>
        [
          ['GET', '/v1/files?limit=10000'],
          ['GET', '/v1/batches?limit=100'],
          ['GET', '/v1/files?limit=10000&order=asc&purpose=batch'],
          ['GET', `/v1/batches?limit=100&after=batch_${'0'.repeat(26)}`],
          ['GET', '/v1/webhook_endpoints?limit=100'],
          ['GET', '/v1/reports?limit=100&order=asc'],
        ][(lane + round) % 6] as [string, string];
    },
    true,
  ),
  reading(
    'ranges of a byte',
    48,
    async (attacker) => {
      const id = await attacker.client.upload(largeFile(attacker.target.model, 30_000_000), { timeoutMs: 60_000 });
      return (lane, round) => {
        const at = ((lane * 7919 + round * 104_729) * 1009) % 29_000_000;
        return ['GET', `/v1/files/${id}/content`, { range: `bytes=${at}-${at}` }];
      };
    },
    true,
  ),
  reading(
    'results in a loop',
    24,
    async (attacker, signal) => {
      const id = await endedBatch(attacker, 800, signal);
      return (lane, round) =>
        (lane + round) % 2 === 0
          ? ['GET', `/v1/batches/${id}/results?limit=1000`]
          : ['GET', `/v1/batches/${id}/results?limit=1000&merge=true`];
    },
    true,
  ),
  reading('keys that nobody has', 64, () =>
    Promise.resolve((lane, round) => {
      const id = `${lane}${round}`.padStart(26, '0');
      return ['GET', '/v1/models', { authorization: `Bearer ey_${id}_${'ab'.repeat(35)}` }];
    }),
  ),
  // Made as the service makes them, so that only the store can tell that they are unknown.
  reading(
    'well-formed keys that nobody has',
    64,
    () =>
      Promise.resolve((lane, round) => {
        const key = toApiKey(`${idPrefixes.key}${`${lane}x${round}`.padStart(26, '0')}`, randomBytes(32));
        return ['GET', '/v1/models', { authorization: `Bearer ${key}` }];
      }),
    true,
  ),
  reading('OPTIONS, HEAD, long paths and queries', 48, () =>
    Promise.resolve((lane, round) => {
      const many = Array.from({ length: 1500 }, (_, at) => `q${at}=1`).join('&');
      const rows: readonly [string, string, Record<string, string>?][] = [
        ['OPTIONS', '/v1/batches'],
        ['HEAD', '/v1/models'],
        ['GET', `/v1/batches?${many}`],
        ['GET', `/v1/files/${'%41'.repeat(3000)}`],
        ['GET', '/v1/files', { cookie: 'c'.repeat(12_000) }],
        ['OPTIONS', `/${'a/'.repeat(5000)}`],
        ['GET', '/openapi.json'],
        ['GET', '/docs'],
      ];
      return rows[(lane + round) % rows.length] ?? ['GET', '/'];
    }),
  ),
  {
    name: 'uploads of many parts',
    s3: true,
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.lanes(8, signal, async (_, round) => {
          const begin = { filename: 'a.jsonl', purpose: 'batch', bytes: 2000, mime_type: 'application/jsonl' };
          const { status, text } = await attacker.client.call('POST', '/v1/uploads', begin, { signal });
          attacker.count(`upload ${status}`);
          if (status !== 200) return;
          const path = `/v1/uploads/${(JSON.parse(text) as { id: string }).id}`;
          const form = '--b\r\ncontent-disposition: form-data; name="data"; filename="a"\r\n\r\na\r\n--b--\r\n';
          const headers = { 'content-type': 'multipart/form-data; boundary=b' };
          for (let part = 0; part < 40 && !signal.aborted; part += 8)
            await Promise.all(
              Array.from({ length: 8 }, () => attacker.call('POST', `${path}/parts`, form, { signal, headers })),
            );
          const ids = Array.from({ length: 10_000 }, (__, at) => `part_${String(at).padStart(26, '0')}`);
          await attacker.call('POST', `${path}/complete`, { part_ids: ids }, { signal });
          if (round % 2 === 0) await attacker.call('POST', `${path}/cancel`, undefined, { signal });
        }),
      ),
  },
  {
    name: 'forms of many fields',
    prepare: (attacker, signal) => {
      const field = (at: number): string => `--b\r\ncontent-disposition: form-data; name="f${at}"\r\n\r\n1\r\n`;
      const many = Buffer.from(`${Array.from({ length: 10_000 }, (_, at) => field(at)).join('')}--b--\r\n`);
      const long = Buffer.from(
        `--b\r\ncontent-disposition: form-data; name="${'n'.repeat(1_000_000)}"\r\n\r\n1\r\n--b--\r\n`,
      );
      const dashes = Buffer.from(
        `--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${'\r\n--'.repeat(500_000)}\r\n--b--\r\n`,
      );
      const bodies = [many, long, dashes];
      const headers = { 'content-type': 'multipart/form-data; boundary=b' };
      return Promise.resolve(() =>
        attacker.lanes(12, signal, (lane, round) =>
          attacker.call('POST', '/v1/files', bodies[(lane + round) % 3], { signal, headers }),
        ),
      );
    },
  },
];
