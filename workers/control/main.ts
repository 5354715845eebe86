import { planWithinBounds } from '../../src/app/attempts/plan-within-bounds.js';
import { toWorld } from '../../src/app/world.js';
import { finishWithinBounds } from '../../src/app/finish-batch.js';
import { sweepLive } from '../../src/app/live/sweep-live.js';
import { Janitor } from '../../src/app/reconcile.js';
import { repeat } from '../../src/app/repeat.js';
import { sweepRetention } from '../../src/app/retention/sweep-retention.js';
import { scaleFleet } from '../../src/app/scale-fleet.js';
import { sendWebhook } from '../../src/app/send-webhook.js';
import { Lease } from '../../src/app/sweep/lease.js';
import { sweepUploads } from '../../src/app/uploads/sweep-uploads.js';
import { InboxWatcher } from '../../src/app/watch-inbox.js';
import { EndpointLanes } from '../../src/app/webhooks/endpoint-lanes.js';
import { IpcLauncher } from '../../src/adapters/ipc-launcher/ipc-launcher.js';
import { HttpWebhookSender } from '../../src/adapters/webhook-http/http-webhook-sender.js';
import { openWorld } from '../../src/compose/open-world.js';
import { runProgram, tellParent } from '../../src/compose/run-program.js';
import { readControlSettings } from '../../src/config/read-environment.js';
import { Metrics } from '../../src/observe/metrics.js';
import { observeProgram } from '../../src/observe/observe-program.js';
import { batchJob } from '../../src/contract/queue-payload.js';

/** Uploads, files and what calls leave behind live for long; a minute more or less does not matter. */
const slowSweepMs = 60_000;

/** The control program: all steps that need no GPU. Several may run; each step is safe beside itself. */
await runProgram('control', async (_end, fail) => {
  const settings = readControlSettings(process.env);
  const metrics = new Metrics('control');
  const opened = await openWorld('control', settings, fail, (log) => metrics.watch(log));
  const world = toWorld(opened);
  metrics.watchRefusals(() => world.refusals.counts());
  metrics.watchQueue(world.queue);
  const sender = new HttpWebhookSender({ allowPrivate: settings.EYRIE_WEBHOOK_ALLOW_PRIVATE });
  const planner = { ...world, tokenizer: world.openedModel.tokenizer, grammars: world.openedModel.grammars };
  const notifier = {
    ...world,
    sender,
    lanes: new EndpointLanes(),
    webhookTimeoutMs: settings.EYRIE_WEBHOOK_TIMEOUT_MS,
  };
  const { queue } = world;

  const consumers = [
    queue.consume('plan', { concurrency: 2 }, (job) =>
      planWithinBounds(planner, batchJob.parse(job.payload), job.stalls),
    ),
    queue.consume('finish', { concurrency: 4 }, (job) =>
      finishWithinBounds(world, batchJob.parse(job.payload), job.stalls),
    ),
    // Posts mostly wait. So many that a few endpoints that hang, each in its lane, leave room for the others.
    queue.consume('deliver', { concurrency: 64 }, (job) => sendWebhook(notifier, job)),
    // When every generate worker has died, only this notices.
    queue.watchStalled('shard'),
    queue.watchStalled('live'),
  ];

  const stopping = new AbortController();
  const inbox = new InboxWatcher(world, settings.EYRIE_INBOX_POLL_MS);
  const janitor = new Janitor(world, settings.EYRIE_SWEEP_MS);
  // Of several processes one does each of them.
  const sweep = (name: string, everyMs: number, step: () => Promise<void>) => ({
    name,
    everyMs,
    step,
    lease: new Lease(world, name, everyMs),
  });
  const sweeps = [
    sweep('janitor', settings.EYRIE_SWEEP_MS, () => janitor.sweep()),
    sweep('uploads', slowSweepMs, () => sweepUploads(world)),
    sweep('live', slowSweepMs, () => sweepLive(world)),
    sweep('retention', slowSweepMs, () => sweepRetention(world)),
  ];
  const loops = [
    repeat(world, 'inbox', settings.EYRIE_INBOX_POLL_MS, () => inbox.poll(), stopping.signal),
    ...sweeps.map(({ name, everyMs, step, lease }) =>
      repeat(world, name, everyMs, () => lease.run(step), stopping.signal),
    ),
  ];
  if (settings.EYRIE_LAUNCHER === 'ipc') {
    const launcher = new IpcLauncher();
    const rules = {
      workersMin: settings.EYRIE_WORKERS_MIN,
      workersMax: settings.EYRIE_WORKERS_MAX,
      drainGoalSeconds: settings.EYRIE_DRAIN_GOAL_SECONDS,
    };
    loops.push(
      repeat(world, 'scaler', settings.EYRIE_SCALE_MS, () => scaleFleet(world, launcher, rules), stopping.signal),
    );
  }
  const observed = await observeProgram(metrics, world.log, settings);
  world.log.info('control.ready');
  tellParent({ type: 'ready', operatorPort: observed.operatorPort });

  return async () => {
    stopping.abort();
    await observed.close();
    await Promise.all(consumers.map((consumer) => consumer.close(5000)));
    await Promise.all(loops);
    await Promise.all(sweeps.map(({ lease }) => lease.release()));
    await inbox.close();
    await world.close();
  };
});
