import { hostname } from 'node:os';
import { BatchWatches } from '../../src/app/batch-watch.js';
import { toWorld } from '../../src/app/world.js';
import { generateShard } from '../../src/app/generate-shard.js';
import { WorkGate } from '../../src/app/attempts/work-gate.js';
import { answerCall } from '../../src/app/live/answer-call.js';
import { repeat } from '../../src/app/repeat.js';
import { ShapeMeter } from '../../src/app/shape-meter.js';
import { SpeedMeter } from '../../src/app/speed-meter.js';
import { checkCard } from '../../src/adapters/engine-native/check-card.js';
import { firstCards } from '../../src/compose/device-sizes.js';
import { openEngine } from '../../src/compose/open-engine.js';
import { openWorld } from '../../src/compose/open-world.js';
import { runProgram, tellParent } from '../../src/compose/run-program.js';
import { readGenerateSettings } from '../../src/config/read-environment.js';
import { Metrics } from '../../src/observe/metrics.js';
import { observeProgram } from '../../src/observe/observe-program.js';
import { EyrieError } from '../../src/domain/errors.js';
import type { JobHandler } from '../../src/ports/job-queue.js';

/** How often the worker looks whether it is idle, and tells its speed. */
const tickMs = 1000;
/** After the grace of a shutdown: handing back what is still held, and closing. */
const handBackMs = 15_000;

/** The generate program: start, load, drain the queue, idle out, exit 0. */
await runProgram('generate', async (end, fail) => {
  const settings = readGenerateSettings(process.env);
  const metrics = new Metrics('generate');
  const opened = await openWorld('generate', settings, fail, (log) => metrics.watch(log));
  const world = toWorld(opened);
  metrics.watchRefusals(() => world.refusals.counts());
  const startedMs = world.clock.monotonic();
  if (settings.EYRIE_DEVICE !== 'cpu') {
    // Before the model takes the cards' memory.
    for (const card of (await firstCards(settings.EYRIE_TENSOR_PARALLEL)).keys())
      world.log.info('generate.card-checked', { card, ...(await checkCard(card)) });
  }
  const engine = await openEngine(world.openedModel, {
    device: settings.EYRIE_DEVICE,
    dtype: settings.EYRIE_DTYPE,
    fp8Keep: settings.EYRIE_FP8_KEEP ?? [],
    isa: settings.EYRIE_ISA,
    threads: settings.EYRIE_THREADS,
    slots: settings.EYRIE_SLOTS ?? null,
    tensorParallel: settings.EYRIE_TENSOR_PARALLEL,
    prefillTokens: settings.EYRIE_PREFILL_TOKENS ?? null,
  });
  const workerId = `${hostname()}-${process.pid}`;
  world.log.info('generate.ready', {
    workerId,
    device: engine.info.device,
    kind: engine.info.kind,
    whyCpu: engine.info.whyCpu,
    dtype: engine.info.dtype,
    weightBytes: engine.info.weightBytes,
    kvCacheBytes: engine.info.kvCacheBytes,
    slots: engine.info.slots,
    loadMs: Math.round(world.clock.monotonic() - startedMs),
  });
  const gate = new WorkGate();
  const generator = {
    ...world,
    gate,
    onBroken: () =>
      fail(
        new EyrieError('engine_closed', 'The engine generates nothing any more; another worker goes on with the work.'),
      ),
    engine,
    tokenizer: world.openedModel.tokenizer,
    grammars: world.openedModel.grammars,
    meter: new ShapeMeter(() => engine.totals()),
    planned: world.records,
    watches: new BatchWatches(world),
    workerId,
  };
  let busyMs = world.clock.monotonic();
  /** Short jobs would else end between two looks, and a busy worker seem idle. */
  const noted =
    (handler: JobHandler): JobHandler =>
    async (job, signal) => {
      await handler(job, signal).finally(() => (busyMs = world.clock.monotonic()));
    };
  const consumers = [
    world.queue.consume(
      'shard',
      { concurrency: settings.EYRIE_SHARDS_IN_FLIGHT },
      noted((job, signal) => generateShard(generator, job, signal)),
    ),
    world.queue.consume(
      'live',
      { concurrency: settings.EYRIE_LIVE_CALLS_IN_FLIGHT },
      noted((job, signal) => {
        // It was on its way when the worker stopped fetching: whoever waits for it is served sooner by another one.
        if (gate.isHeld) throw new EyrieError('service_unavailable', 'This worker runs a suspect shard alone.');
        return gate.shared(signal, () => answerCall(generator, job, signal));
      }),
    ),
  ];
  gate.watch(consumers);
  const observed = await observeProgram(metrics, world.log, settings);
  tellParent({ type: 'ready', operatorPort: observed.operatorPort });

  const stopping = new AbortController();
  const speed = new SpeedMeter(engine, world.clock);
  let tokensPerSecond = 0;
  metrics.watchEngine(
    () => engine.totals(),
    () => tokensPerSecond,
  );
  const tick = async (): Promise<void> => {
    const now = world.clock.monotonic();
    if (consumers.some((consumer) => consumer.active() > 0)) busyMs = now;
    else if (settings.EYRIE_IDLE_EXIT_MS > 0 && now - busyMs >= settings.EYRIE_IDLE_EXIT_MS) {
      world.log.info('generate.idle_exit', { workerId });
      end();
    }
    tokensPerSecond = speed.read();
    if (tokensPerSecond > 0)
      await world.progress.reportWorker(workerId, {
        tokensPerSecond,
        slots: engine.info.slots,
        prefillTokens: engine.info.prefillTokens,
      });
  };
  const ticking = repeat(world, 'generate', tickMs, tick, stopping.signal);

  const stop = async (): Promise<void> => {
    stopping.abort();
    await observed.close();
    await Promise.all(consumers.map((consumer) => consumer.close(settings.EYRIE_SHUTDOWN_GRACE_MS)));
    await ticking;
    await engine.close();
    await world.close();
  };
  return Object.assign(stop, { withinMs: settings.EYRIE_SHUTDOWN_GRACE_MS + handBackMs });
});
