// One scenario of an engine whose process, worker thread or last reference ends at an awkward moment.
// Arguments: scenario, path of the addon, options and request as JSON (typed arrays as plain arrays).
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const [scenario, addonPath, optionsJson, requestJson] = isMainThread ? process.argv.slice(2) : workerData;
const addon = createRequire(import.meta.url)(addonPath);

const options = () => {
  const plain = JSON.parse(optionsJson);
  return { ...plain, stopTokenIds: Uint32Array.from(plain.stopTokenIds), tokenBytes: null, tokenByteEnds: null };
};
const request = () => {
  const plain = JSON.parse(requestJson);
  return {
    ...plain,
    promptIds: Uint32Array.from(plain.promptIds),
    seed: 1n,
    sequenceKey: 1n,
    stop: [],
    logitBiasIds: new Uint32Array(0),
    logitBiasValues: new Float32Array(0),
  };
};
const open = () => addon.openEngine(options(), () => undefined);
const startBusy = async () => {
  const engine = await open();
  for (let id = 0; id < 40; id++) engine.generate(id, request(), () => undefined).catch(() => undefined);
  return engine;
};
const processSize = () => {
  const status = readFileSync('/proc/self/status', 'utf8');
  const kib = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
  return {
    mappedMiB: kib('VmSize') / 1024,
    residentMiB: kib('VmRSS') / 1024,
    threads: readdirSync('/proc/self/task').length,
    files: readdirSync('/proc/self/fd').length,
  };
};
const collect = async () => {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await sleep(20);
  }
};
const growth = async (cycles, once) => {
  for (let i = 0; i < 5; i++) await once();
  await collect();
  const before = processSize();
  for (let i = 0; i < cycles; i++) await once();
  await collect();
  const after = processSize();
  const grown = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]));
  console.log(JSON.stringify(grown));
};
const inWorkers = async (inner, count) => {
  for (let i = 0; i < count; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: [inner, addonPath, optionsJson, requestJson] });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
  }
};

const scenarios = {
  'exit while busy': async () => {
    await startBusy();
    await sleep(20);
    process.exit(7);
  },
  'exit while loading': async () => {
    void open();
    process.exit(7);
  },
  'exit while closing': async () => {
    const engine = await startBusy();
    void engine.close();
    process.exit(7);
  },
  'end with an idle engine': async () => {
    const engine = await open();
    await engine.generate(1, request());
    process.exitCode = 7;
  },
  'workers terminated while busy': async () => {
    await inWorkers('busy in a worker', 8);
    process.exit(7);
  },
  'busy in a worker': async () => {
    await startBusy();
    parentPort.postMessage('busy');
  },
  'workers terminated while loading': async () => {
    await inWorkers('loading in a worker', 8);
    process.exit(7);
  },
  'loading in a worker': async () => {
    void open();
    parentPort.postMessage('loading');
  },
  'open and close': async () => {
    await growth(60, async () => {
      const engine = await open();
      await engine.generate(1, request());
      await engine.close();
    });
    process.exit(7);
  },
  'open and forget': async () => {
    let opened = 0;
    await growth(60, async () => {
      const engine = await open();
      await engine.generate(1, request());
      if (++opened % 5 === 0) await collect();
    });
    process.exit(7);
  },
  'forget while busy': async () => {
    const pending = (await open()).generate(1, request());
    await collect();
    const { tokenIds } = await pending;
    console.log(tokenIds.length);
    process.exit(7);
  },
};
await scenarios[scenario]();
