import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type { NativeResult } from '../../src/adapters/engine-native/native-types.js';
import { readModelFolder } from '../../src/adapters/model-folder/read-model-folder.js';
import { openTiny, tinyRequest } from '../support/tiny-falcon.js';

/** What transformers computed on the checkpoint beside it; see test/golden/falcon-tiny/README.md. */
interface Golden {
  readonly bf16_error_mean: number;
  readonly prompts: readonly {
    readonly token_ids: readonly number[];
    readonly logprobs: readonly (number | null)[];
    readonly top5: Readonly<Record<string, readonly (readonly [number, number])[]>>;
    readonly greedy_ids: readonly number[];
    readonly greedy_logprobs: readonly number[];
  }[];
}

const folder = fileURLToPath(new URL('../golden/falcon-tiny/', import.meta.url));

/** fp32 against fp32: two orders of sums over at most 1,124 positions and 1,024 products; measured 1.4e-5 at worst. */
const FLOAT32_ERROR_MAX = 1e-4;

/** The scalar kernels exist to define the others; on the longest prompt they take seconds. */
const TOKENS_MAX = { scalar: 200 } as Readonly<Record<string, number>>;

async function runGolden(kind: string, changes: Parameters<typeof openTiny>[0]) {
  const all = JSON.parse(readFileSync(`${folder}${kind}.json`, 'utf8')) as Golden;
  const tokensMax = TOKENS_MAX[changes?.isa ?? ''] ?? Infinity;
  const golden = { ...all, prompts: all.prompts.filter(({ token_ids }) => token_ids.length <= tokensMax) };
  const { directory: modelDirectory, shape: config } = await readModelFolder(folder + kind);
  const engine = await openTiny({
    modelDirectory,
    config,
    tokenBytes: null,
    tokenByteEnds: null,
    slots: 7,
    ...changes,
  });
  const results = await Promise.all(
    golden.prompts.map(({ token_ids, greedy_ids }, id) =>
      engine.generate(
        id,
        tinyRequest({
          promptIds: Uint32Array.from(token_ids),
          maxTokens: greedy_ids.length,
          logprobs: 5,
          promptLogprobs: true,
        }),
      ),
    ),
  );
  return { golden, results };
}

function promptErrors({ prompts }: Golden, results: readonly NativeResult[]): number[] {
  return prompts.flatMap(({ logprobs }, i) =>
    logprobs.flatMap((logprob, position) =>
      logprob === null ? [] : [Math.abs(logprob - (results[i]?.promptLogprobs?.[position] ?? Number.NaN))],
    ),
  );
}

describe.each(['40b', '7b', '11b', 'rw'])('a %s checkpoint', (kind) => {
  it.each(loadAddon().supportedIsas())(
    'gives the reference log-probabilities and greedy ids in float32 on %s',
    async (isa) => {
      const { golden, results } = await runGolden(kind, { dtype: 'float32', isa: isa as 'auto', threads: 2 });
      const errors = promptErrors(golden, results);
      expect(errors.length).toBeGreaterThan(300);
      expect(Math.max(...errors)).toBeLessThan(FLOAT32_ERROR_MAX);
      for (const [i, prompt] of golden.prompts.entries()) {
        const result = results[i];
        expect([...(result?.tokenIds ?? [])]).toEqual(prompt.greedy_ids);
        for (const [n, logprob] of prompt.greedy_logprobs.entries()) {
          expect(Math.abs(logprob - (result?.logprobs?.[n] ?? Number.NaN))).toBeLessThan(FLOAT32_ERROR_MAX);
        }
        for (const [position, best] of Object.entries(prompt.top5)) {
          for (const [rank, [, logprob]] of best.entries()) {
            const at = Number(position);
            // Position `length` is the token after the prompt. Ids of close candidates may swap, their values may not.
            const row = at === prompt.token_ids.length ? result?.topLogprobs : result?.promptTopLogprobs;
            const start = at === prompt.token_ids.length ? 0 : at * 5;
            expect(Math.abs(logprob - (row?.[start + rank] ?? Number.NaN))).toBeLessThan(FLOAT32_ERROR_MAX);
          }
        }
      }
    },
  );

  it.each(loadAddon().supportedIsas())('is no less exact in bfloat16 than the reference itself, on %s', async (isa) => {
    const { golden, results } = await runGolden(kind, { dtype: 'bfloat16', isa: isa as 'auto', threads: 2 });
    const errors = promptErrors(golden, results);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    expect(mean).toBeLessThanOrEqual(golden.bf16_error_mean);
  });
});
