import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { NativeEngineAdapter } from '../../src/adapters/engine-native/native-engine.js';
import { openEngine, type EngineSettings } from '../../src/compose/open-engine.js';
import { openModel } from '../../src/compose/open-model.js';
import { greedyRequest } from '../../src/app/line/greedy-request.js';
import type { SequenceRequest, SequenceResult } from '../../src/ports/engine.js';

/** The CUDA backend over the CPU, see native/emulation/README.md: what the demo model does on a card, without one. */
export const emulatedLibrary = fileURLToPath(
  new URL('../../native/build-test/libeyrie_cuda_emulated.so', import.meta.url),
);

export const whyNoEmulation = existsSync(emulatedLibrary)
  ? null
  : 'native/build-test/libeyrie_cuda_emulated.so is not built: bash native/emulate.sh demo';

// Both are read when the first engine is opened.
process.env['EYRIE_CUDA_LIBRARY'] = emulatedLibrary;
process.env['EYRIE_EMULATION_CARDS'] = '2';

export const demo = await openModel('models/demo', null);

export const demoSettings: EngineSettings = {
  device: 'cuda',
  dtype: 'bfloat16',
  isa: 'auto',
  threads: 1,
  slots: 8,
  prefillTokens: 128,
};

/** The demo model on an emulated card, closed when the test has finished. */
export async function openDemo(changes: Partial<EngineSettings> = {}): Promise<NativeEngineAdapter> {
  const engine = await openEngine(demo, { ...demoSettings, ...changes });
  onTestFinished(() => engine.close());
  return engine;
}

/** A question in the form that the model was trained on; greedy, 24 tokens. */
export async function ask(question: string, changes: Partial<SequenceRequest> = {}): Promise<SequenceRequest> {
  const promptIds = await demo.tokenizer.encode(`<human>: ${question}\n<bot>:`, 'text');
  return { ...greedyRequest, promptIds, maxTokens: 24, ...changes };
}

const noSignal = new AbortController().signal;

export const generateAll = (
  engine: NativeEngineAdapter,
  requests: readonly SequenceRequest[],
): Promise<readonly SequenceResult[]> => Promise.all(requests.map((request) => engine.generate(request, noSignal)));

export const textOf = ({ textBytes }: SequenceResult): string => Buffer.from(textBytes).toString();
