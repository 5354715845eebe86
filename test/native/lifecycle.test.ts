import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type {
  NativeEngine,
  NativeEngineOptions,
  NativeRequest,
  NativeTokens,
} from '../../src/adapters/engine-native/native-types.js';
import { openTiny, tinyCheckpoint, tinyConfig, tinyOptions, tinyRequest } from '../support/tiny-falcon.js';

const ENDLESS = { maxTokens: 400 };
const noProgress = (): void => undefined;

/** Every operation in every state an engine can be in. */
describe('an idle engine', () => {
  it('generates, ignores cancels, reports zeros, closes', async () => {
    const engine = await openTiny();
    engine.cancel(5);
    expect(engine.report()).toMatchObject({ promptTokens: 0, generatedTokens: 0, decodeSteps: 0 });
    expect((await engine.generate(5, tinyRequest())).tokenIds).toHaveLength(16);
    await engine.close();
  });

  it('says what it is', async () => {
    const { info } = await openTiny({ dtype: 'bfloat16', isa: 'scalar' });
    expect(info).toMatchObject({ device: 'cpu', kind: 'scalar', dtype: 'bfloat16', whyCpu: null });
    expect(info.weightBytes).toBeGreaterThan(2 * 97 * 48);
    expect(info.kvCacheBytes).toBeGreaterThan(0);
    expect(info.numerics).not.toBe('');
  });
});

describe('a busy engine', () => {
  it('generates beside, refuses a live id, reports, cancels one and not the others', async () => {
    const engine = await openTiny({ slots: 2 });
    const first = engine.generate(1, tinyRequest(ENDLESS));
    const second = engine.generate(2, tinyRequest(ENDLESS));
    const waiting = engine.generate(3, tinyRequest(ENDLESS));
    await expect(engine.generate(1, tinyRequest())).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('id 1') as string,
    });
    engine.cancel(3);
    engine.cancel(1);
    engine.cancel(99);
    expect(engine.report().overrunTokens).toBe(0);
    const [cancelled, done, neverStarted] = await Promise.all([first, second, waiting]);
    expect(cancelled.finishReason).toBe('cancelled');
    expect(cancelled.tokenIds.length).toBeLessThan(400);
    expect(neverStarted).toMatchObject({ finishReason: 'cancelled', tokenIds: new Uint32Array(0) });
    expect(done.tokenIds).toHaveLength(400);
    // The id is free again, and what a cancelled sequence left in its slot does not show.
    const again = await engine.generate(1, tinyRequest(ENDLESS));
    expect(again.tokenIds).toEqual(done.tokenIds);
    expect(cancelled.tokenIds).toEqual(done.tokenIds.slice(0, cancelled.tokenIds.length));
  });

  it('rejects what is live when it closes, and closes once', async () => {
    const engine = await openTiny({ slots: 2 });
    const live = [1, 2, 3, 4].map((id) => engine.generate(id, tinyRequest(ENDLESS)));
    const outcomes = Promise.allSettled(live);
    await Promise.all([engine.close(), engine.close()]);
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'engine_closed' } });
  });

  it('serves several thousand queued requests', async () => {
    const engine = await openTiny({ slots: 16, dtype: 'bfloat16' });
    const ids = Array.from({ length: 3000 }, (_, id) => id);
    const results = await Promise.all(
      ids.map((id) =>
        engine.generate(id, tinyRequest({ maxTokens: 1 + (id % 5), promptIds: Uint32Array.of(20 + (id % 60)) })),
      ),
    );
    expect(results.map((result) => result.tokenIds.length)).toEqual(ids.map((id) => 1 + (id % 5)));
  });
});

describe('a watched sequence', () => {
  const watch = async (engine: NativeEngine, request: NativeRequest) => {
    const told: NativeTokens[] = [];
    const result = await engine.generate(1, request, (tokens) => told.push(tokens));
    return { told, result, ids: told.flatMap(({ tokenIds }) => [...tokenIds]) };
  };

  it('tells its tokens as they come, all but the last, and gives the same result', async () => {
    const engine = await openTiny();
    const { told, result, ids } = await watch(engine, tinyRequest({ maxTokens: 200 }));
    expect(ids).toEqual(Array.from(result.tokenIds.subarray(0, -1)));
    expect(told[0]).toMatchObject({ logprobs: null, topIds: null, topLogprobs: null });
    expect(await engine.generate(2, tinyRequest({ maxTokens: 200 }))).toEqual(result);
  });

  it('tells log-probabilities beside them', async () => {
    const { told, result } = await watch(await openTiny(), tinyRequest({ maxTokens: 50, logprobs: 3 }));
    const joined = (of: (tokens: NativeTokens) => ArrayLike<number> | null) =>
      told.flatMap((tokens) => Array.from(of(tokens) ?? []));
    expect(joined(({ logprobs }) => logprobs)).toEqual([...(result.logprobs ?? [])].slice(0, -1));
    expect(joined(({ topIds }) => topIds)).toEqual([...(result.topIds ?? [])].slice(0, -3));
    expect(joined(({ topLogprobs }) => topLogprobs)).toEqual([...(result.topLogprobs ?? [])].slice(0, -3));
  });

  it('never tells what completed a stop string', async () => {
    const engine = await openTiny();
    const { result: whole } = await watch(engine, tinyRequest({ maxTokens: 60 }));
    const stop = [whole.textBytes.slice(20, 23)];
    const { result, ids } = await watch(engine, tinyRequest({ maxTokens: 60, stop }));
    expect(result.finishReason).toBe('stop');
    expect(ids).toEqual(Array.from(result.tokenIds.subarray(0, -1)));
  });

  it('tells nothing of a sequence of one token, and nothing after a cancel', async () => {
    const engine = await openTiny();
    expect((await watch(engine, tinyRequest({ maxTokens: 1 }))).told).toEqual([]);
    let told = 0;
    const { finishReason } = await engine.generate(1, tinyRequest(ENDLESS), () => {
      if (++told === 1) engine.cancel(1);
    });
    expect(finishReason).toBe('cancelled');
  });

  it('ends with what its watcher throws, and its id is free again', async () => {
    const engine = await openTiny();
    const thrown = engine.generate(1, tinyRequest(ENDLESS), () => {
      throw new RangeError('from the watcher');
    });
    await expect(thrown).rejects.toThrow('from the watcher');
    expect((await engine.generate(1, tinyRequest())).tokenIds).toHaveLength(16);
  });
});

describe('an urgent request', () => {
  it('takes the next free slot and gives the same tokens', async () => {
    const engine = await openTiny({ slots: 2 });
    const expected = await engine.generate(0, tinyRequest());
    const ended: number[] = [];
    const patient = Array.from({ length: 60 }, (_, at) =>
      engine.generate(at + 1, tinyRequest(ENDLESS)).then(() => ended.push(at)),
    );
    const urgent = await engine.generate(99, tinyRequest({ urgent: true }));
    expect(ended.length).toBeLessThan(30);
    expect(urgent).toEqual(expected);
    await Promise.all(patient);
  });
});

describe('a closed engine', () => {
  it('refuses to generate, ignores cancels, keeps its last report, closes again', async () => {
    const engine = await openTiny();
    await engine.generate(1, tinyRequest());
    const report = engine.report();
    await engine.close();
    await expect(engine.generate(2, tinyRequest())).rejects.toMatchObject({ code: 'engine_closed' });
    engine.cancel(1);
    expect(engine.report()).toEqual(report);
    await expect(engine.close()).resolves.toBeUndefined();
  });

  it('leaves others alone', async () => {
    const modelDirectory = await tinyCheckpoint();
    const [one, two] = await Promise.all([openTiny({ modelDirectory }), openTiny({ modelDirectory })]);
    const pending = two.generate(1, tinyRequest(ENDLESS));
    await one.close();
    expect((await pending).tokenIds).toHaveLength(400);
  });
});

describe('the functions of an engine', () => {
  it('work detached and on foreign objects', async () => {
    const engine = await openTiny();
    const { generate, report, cancel, close } = engine;
    cancel.call({} as never, 1);
    expect((await generate.call({} as never, 1, tinyRequest())).tokenIds).toHaveLength(16);
    expect(report.call(undefined as never).generatedTokens).toBe(16);
    await close();
  });

  it.each([undefined, null, 1.5, -1, Number.NaN, 'x', 2 ** 53, {}])('refuse %s as id', async (id) => {
    const engine = await openTiny();
    await expect(engine.generate(id as number, tinyRequest())).rejects.toMatchObject({ code: 'invalid_request' });
    expect(() => engine.cancel(id as number)).toThrow(expect.objectContaining({ code: 'invalid_request' }) as Error);
  });

  it.each([null, 5, 'x', {}, []])('refuse %s as watcher of the tokens', async (onTokens) => {
    const engine = await openTiny();
    await expect(engine.generate(1, tinyRequest(), onTokens as never)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('onTokens') as string,
    });
  });

  it.each([undefined, null, 5, 'x', {}, []])('refuse %s as request', async (request) => {
    const engine = await openTiny();
    await expect(engine.generate(1, request as never)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('pass on what a getter throws', async () => {
    const engine = await openTiny();
    const trap = Object.defineProperty({ ...tinyRequest() }, 'maxTokens', {
      get: () => {
        throw new RangeError('from the getter');
      },
    });
    await expect(engine.generate(1, trap)).rejects.toThrow('from the getter');
  });
});

describe('opening', () => {
  it('reports progress up to the end', async () => {
    const modelDirectory = await tinyCheckpoint();
    const seen: [number, number][] = [];
    const engine = await loadAddon().openEngine(tinyOptions(modelDirectory), (done, total) => seen.push([done, total]));
    await engine.close();
    const [done, total] = seen.at(-1) ?? [];
    expect(done).toBe(total);
    expect(seen).toEqual(seen.toSorted((a, b) => a[0] - b[0]));
  });

  it('ends with the error of a progress callback that throws', async () => {
    const options = tinyOptions(await tinyCheckpoint());
    const opening = loadAddon().openEngine(options, () => {
      throw new RangeError('from the callback');
    });
    await expect(opening).rejects.toThrow('from the callback');
  });

  const onCard = {
    library: null,
    slots: 4,
    prefillTokens: 128,
    kvPages: 0,
    cards: 1,
    keepDense: false,
    keepDown: false,
  };
  const wrong: [string, Partial<NativeEngineOptions>, string, string][] = [
    ['no slots', { slots: 0 }, 'invalid_request', 'slots'],
    ['too many slots', { slots: 1025 }, 'invalid_request', 'slots'],
    ['half a slot', { slots: 1.5 }, 'invalid_request', 'slots'],
    ['slots longer than the context', { slotTokens: 513 }, 'invalid_request', 'slotTokens'],
    ['a small prefill budget', { prefillTokens: 15 }, 'invalid_request', 'prefillTokens'],
    ['no threads', { threads: 0 }, 'invalid_request', 'threads'],
    ['an unknown dtype', { dtype: 'float16' as 'float32' }, 'invalid_request', 'dtype'],
    ['an unknown device', { device: 'tpu' as 'cpu' }, 'invalid_request', 'device'],
    ['fp8 on the CPU', { dtype: 'fp8' }, 'invalid_request', '--device cuda'],
    ['a card without its sizes', { device: 'cuda' }, 'invalid_request', 'cuda'],
    ['no slots on a card', { device: 'cuda', cuda: { ...onCard, slots: 0 } }, 'invalid_request', 'cuda.slots'],
    ['no cards', { device: 'cuda', cuda: { ...onCard, cards: 0 } }, 'invalid_request', 'cuda.cards'],
    ['too many cards', { device: 'cuda', cuda: { ...onCard, cards: 9 } }, 'invalid_request', 'cuda.cards'],
    ['an unknown isa', { isa: 'mmx' as 'avx2' }, 'invalid_request', 'isa'],
    ['an end token outside the vocabulary', { stopTokenIds: Uint32Array.of(97) }, 'invalid_request', 'stopTokenIds'],
    ['token bytes of another vocabulary', { tokenByteEnds: new Uint32Array(96) }, 'invalid_request', 'tokenByteEnds'],
    ['token ends past the bytes', { tokenByteEnds: new Uint32Array(97).fill(1e6) }, 'invalid_request', 'tokenByteEnds'],
    ['query heads that no KV head divides', { config: { ...tinyConfig, kvHeads: 4 } }, 'model_invalid', 'queryHeads'],
    ['a hidden size off its heads', { config: { ...tinyConfig, hiddenSize: 50 } }, 'model_invalid', 'hiddenSize'],
    ['no layers', { config: { ...tinyConfig, layers: 0 } }, 'model_invalid', 'layers'],
    ['three norms', { config: { ...tinyConfig, normsPerLayer: 3 as 2 } }, 'model_invalid', 'normsPerLayer'],
    ['a config that is none', { config: 5 as never }, 'invalid_request', 'config'],
    [
      'a cache larger than the memory',
      { config: { ...tinyConfig, contextTokens: 1 << 20 }, slotTokens: 1 << 20, slots: 1024 },
      'out_of_memory',
      'KV cache',
    ],
    ['a folder that is not there', { modelDirectory: '/nonexistent/model' }, 'model_unreadable', '/nonexistent/model'],
  ];
  it.each(wrong)('%s is refused by name', async (_, changes, code, text) => {
    const options = { ...tinyOptions(await tinyCheckpoint()), ...changes };
    await expect(loadAddon().openEngine(options, noProgress)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text) as string,
    });
  });

  it('without arguments is refused', async () => {
    const open = loadAddon().openEngine as (...args: unknown[]) => Promise<unknown>;
    await expect(open()).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(open(tinyOptions('/tmp'))).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('names the instruction sets, best first, and runs each', async () => {
    const isas = loadAddon().supportedIsas();
    expect(isas.at(-1)).toBe('scalar');
    for (const isa of isas) {
      const engine = await openTiny({ isa: isa as 'scalar' });
      expect(engine.info.kind).toBe(isa);
    }
  });
});

describe('the end of the world around an engine', () => {
  const child = fileURLToPath(new URL('./teardown-child.mjs', import.meta.url));
  const built = fileURLToPath(new URL('../../native/build/eyrie_native.node', import.meta.url));
  const addon = process.env['EYRIE_NATIVE_ADDON'] ?? built;
  beforeAll(() => expect(loadAddon().supportedIsas().length).toBeGreaterThan(0));

  /** Runs a scenario, which ends by exiting with 7. A crash would be a signal, a hang the time limit. */
  async function run(scenario: string): Promise<string> {
    // 96 slots of 512 tokens map some 40 MB, so a leak of one engine a round shows at once.
    const modelDirectory = await tinyCheckpoint();
    const options = {
      ...tinyOptions(modelDirectory, { slots: 96, threads: 2 }),
      stopTokenIds: [11],
      tokenBytes: null,
      tokenByteEnds: null,
    };
    const { seed: _seed, sequenceKey: _key, ...plain } = tinyRequest({ maxTokens: 60 });
    const request = { ...plain, promptIds: [20, 30, 40] };
    const execute = promisify(execFile);
    // Far beyond what it takes: a hang is told from a slow machine with the sanitizers.
    const childMs = 170_000;
    const args = ['--expose-gc', child, scenario, addon, JSON.stringify(options), JSON.stringify(request)];
    const error: unknown = await execute(process.execPath, args, { timeout: childMs }).then(
      () => new Error('ended with 0'),
      (reason: unknown) => reason,
    );
    const { code, signal, stdout, stderr } = error as {
      code: number;
      signal: string | null;
      stdout: string;
      stderr: string;
    };
    expect({ code, signal, stderr }, scenario).toEqual({ code: 7, signal: null, stderr: '' });
    return stdout;
  }

  it.each([
    'exit while busy',
    'exit while loading',
    'exit while closing',
    'end with an idle engine',
    'workers terminated while busy',
    'workers terminated while loading',
  ])(
    '%s: no crash, no hang',
    async (scenario) => {
      expect(await run(scenario)).toBe('');
    },
    180_000,
  );

  it('forget while busy: the promise still settles', async () => {
    expect(await run('forget while busy')).toBe('60\n');
  }, 180_000);

  it.each(['open and close', 'open and forget'])(
    '%s, 60 times: nothing is left',
    async (scenario) => {
      const grown = JSON.parse(await run(scenario)) as Record<string, number>;
      expect(grown['threads']).toBe(0);
      expect(grown['files']).toBe(0);
      // malloc reserves 64 MB for each of a few arenas, whatever we do; sixty leaked engines would be 2,400 MB.
      expect(grown['mappedMiB']).toBeLessThan(600);
      expect(grown['residentMiB']).toBeLessThan(30);
    },
    180_000,
  );
});
