import { WorkGate } from '../../src/app/attempts/work-gate.js';
import { BatchWatches } from '../../src/app/batch-watch.js';
import { toWorld } from '../../src/app/world.js';
import { generateShard } from '../../src/app/generate-shard.js';
import { ShapeMeter } from '../../src/app/shape-meter.js';
import { openWorld } from '../../src/compose/open-world.js';
import { runProgram, tellParent } from '../../src/compose/run-program.js';
import { readGenerateSettings } from '../../src/config/read-environment.js';
import { NullEngine } from './null-engine.js';

/** The generate program with the null engine: the same queue, store and steps. It stays until it is told to end. */
await runProgram('generate', async (_end, fail) => {
  const settings = readGenerateSettings(process.env);
  const opened = await openWorld('generate', settings, fail);
  const world = toWorld(opened);
  const engine = new NullEngine();
  const gate = new WorkGate();
  const generator = {
    ...world,
    gate,
    onBroken: () => undefined,
    engine,
    tokenizer: world.openedModel.tokenizer,
    grammars: world.openedModel.grammars,
    meter: new ShapeMeter(() => engine.totals()),
    planned: world.records,
    watches: new BatchWatches(world),
    workerId: `null-${process.pid}`,
  };
  const consumer = world.queue.consume('shard', { concurrency: settings.EYRIE_SHARDS_IN_FLIGHT }, (job, signal) =>
    generateShard(generator, job, signal),
  );
  gate.watch([consumer]);
  tellParent({ type: 'ready' });
  return async () => {
    await consumer.close(settings.EYRIE_SHUTDOWN_GRACE_MS);
    await engine.close();
    await world.close();
  };
});
