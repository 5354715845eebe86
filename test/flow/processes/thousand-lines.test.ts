import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { comparable, LocalMode, runCli, tinyModel } from '../../support/local-mode.js';
import { requestLines } from '../../support/request-lines.js';
import { makeTempFolder } from '../../support/temp-folder.js';
import { seededRandom } from '../../support/tiny-falcon.js';

/** One thousand lines of all kinds: greedy and sampled, penalties, stop strings, several choices, log-probabilities, echo. */
const lines = requestLines(1000, '40b', 24).trimEnd().split('\n');
let folder: string;
let expected: ReadonlyMap<string, string>;

beforeAll(async () => {
  folder = await makeTempFolder();
  expected = await offline('in order', lines, ['--threads', '1']);
  expect(expected.size).toBe(1000);
  // Sampled lines differ from one another, or equal bytes would say nothing.
  expect(new Set(Array.from(expected.values(), textsOf)).size).toBeGreaterThan(800);
}, 300_000);
afterAll(() => rm(folder, { recursive: true }));

const textsOf = (result: string): string =>
  JSON.stringify(
    (JSON.parse(result) as { response: { body: { choices: { text: string }[] } } }).response.body.choices.map(
      ({ text }) => text,
    ),
  );

/** Result lines by custom_id, without ids and times. */
function byCustomId(jsonl: string): Map<string, string> {
  return new Map(
    comparable(jsonl).map((line) => [(JSON.parse(line) as { custom_id: string }).custom_id, line] as const),
  );
}

function shuffled(seed: number): string[] {
  const random = seededRandom(seed);
  return lines
    .map((line) => ({ line, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ line }) => line);
}

async function offline(name: string, part: readonly string[], flags: readonly string[]): Promise<Map<string, string>> {
  const [input, output] = [path.join(folder, `${name}.in.jsonl`), path.join(folder, `${name}.out.jsonl`)];
  await writeFile(input, `${part.join('\n')}\n`);
  const { code, stderr } = await runCli(['run-batch', '-i', input, '-o', output, '--model', tinyModel, ...flags]);
  expect({ code, stderr: stderr.slice(-200) }).toMatchObject({ code: 0, stderr: expect.stringContaining(' 0 failed') });
  return byCustomId(await readFile(output, 'utf8'));
}

test('a thousand shuffled lines on few slots and two threads give equal bytes', async () => {
  const results = await offline('few slots', shuffled(1), [
    '--threads',
    '2',
    '--slots',
    '9',
    '--prefill-tokens',
    '128',
  ]);
  expect(results).toEqual(expected);
}, 300_000);

test('shuffled again, cut into files of other sizes, each in a process of its own with other slots and threads', async () => {
  const order = shuffled(2);
  const cuts = [0, 1, 38, 301, 500, 1000];
  const results = new Map<string, string>();
  for (const [i, from] of cuts.slice(0, -1).entries()) {
    const flags = [
      '--threads',
      String(1 + (i % 2)),
      '--slots',
      String([1, 64, 17, 32, 48][i]),
      '--prefill-tokens',
      '2048',
    ];
    for (const [id, line] of await offline(`part ${i}`, order.slice(from, cuts[i + 1]), flags)) results.set(id, line);
  }
  expect(results).toEqual(expected);
}, 300_000);

test('shuffled once more through the service, whose worker is killed in the middle', async () => {
  const service = await LocalMode.start(path.join(folder, 'data'), [], {
    EYRIE_THREADS: '2',
    EYRIE_SLOTS: '11',
    EYRIE_PREFILL_TOKENS: '256',
    EYRIE_SHARDS_IN_FLIGHT: '3',
  });
  try {
    const client = service.client();
    const file = new File([`${shuffled(3).join('\n')}\n`], 'in.jsonl');
    const input = await client.files.create({ file, purpose: 'batch' });
    const { id } = await client.batches.create({
      input_file_id: input.id,
      endpoint: '/v1/completions',
      completion_window: '24h',
    });
    const completed = async (): Promise<number> => (await client.batches.retrieve(id)).request_counts?.completed ?? 0;
    await eventually('the first results', async () => (await completed()) > 0, 60_000);
    const [worker] = service.programs('generate');
    expect(worker).toBeTypeOf('number');
    process.kill(worker ?? 0, 'SIGKILL');
    expect(await completed()).toBeLessThan(1000);
    await eventually(
      'the end of the batch',
      async () => (await client.batches.retrieve(id)).status === 'completed',
      120_000,
    );
    const batch = await client.batches.retrieve(id);
    expect(batch.request_counts).toEqual({ total: 1000, completed: 1000, failed: 0 });
    const output = await (await client.files.content(batch.output_file_id ?? '')).text();
    expect(byCustomId(output)).toEqual(expected);
  } finally {
    await service.stop();
  }
}, 300_000);
