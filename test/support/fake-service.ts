import { acceptBatch } from '../../src/app/accept-batch.js';
import { BatchWatches } from '../../src/app/batch-watch.js';
import { BatchRecords } from '../../src/app/batch-records.js';
import { digestContent } from '../../src/app/files/content-digest.js';
import { finishWithinBounds } from '../../src/app/finish-batch.js';
import { generateShard } from '../../src/app/generate-shard.js';
import { planWithinBounds } from '../../src/app/attempts/plan-within-bounds.js';
import { WorkGate } from '../../src/app/attempts/work-gate.js';
import { Janitor } from '../../src/app/reconcile.js';
import { repeat } from '../../src/app/repeat.js';
import { sweepRetention } from '../../src/app/retention/sweep-retention.js';
import { sendWebhook } from '../../src/app/send-webhook.js';
import { Lease } from '../../src/app/sweep/lease.js';
import { toWorld } from '../../src/app/world.js';
import { ShapeMeter } from '../../src/app/shape-meter.js';
import { SharedDeliveries } from '../../src/app/webhooks/lanes/share-deliveries.js';
import { viewBatch } from '../../src/app/view-batch.js';
import { InboxWatcher } from '../../src/app/watch-inbox.js';
import type { BatchObject } from '../../src/contract/batch-object.js';
import type { CreateBatchRequest } from '../../src/contract/create-batch.js';
import { batchJob } from '../../src/contract/queue-payload.js';
import { manifestObject, type StoredFile } from '../../src/contract/stored-objects.js';
import { isTerminal } from '../../src/domain/batch-state.js';
import { bounds } from '../../src/domain/bounds.js';
import type { Offer } from '../../src/domain/offer.js';
import type { Quotas } from '../../src/domain/quotas.js';
import { keys } from '../../src/domain/object-keys.js';
import type { ObjectStore } from '../../src/ports/object-store.js';
import type { WebhookAnswer, WebhookPost } from '../../src/ports/webhook-sender.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import { FakeGrammars } from './fake-grammars.js';
import { fakeWorld, type FakeWorld } from './fake-world.js';
import { inlineRequests } from './inline-requests.js';
import type { MemoryConsumer, MemoryQueueSettings } from './memory-queue.js';
import type { MemoryStore } from './memory-store.js';
import { ScriptedEngine, type Script } from './scripted-engine.js';

export const tenant = 'acme';

/** Answers a prompt with its text in capitals. */
export const shout: Script = (ids) => Buffer.from(Uint8Array.from(ids)).toString().toUpperCase();

/** Until a worker that was killed is replaced. */
const restartMs = 2000;

/** The store as a process sees it that may be killed: from then on nothing of what it does is done, and nothing comes back. */
function mortalStore<T extends object>(store: T, process: { readonly dead: boolean }): T {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown =>
        process.dead ? new Promise(() => undefined) : (member.apply(target, args) as unknown);
    },
  });
}

export interface FakeServiceOptions {
  readonly script?: Script;
  /** Prompts that kill the worker that runs them. */
  readonly crashOn?: (prompt: string) => boolean;
  /** Fake time that each sequence takes. */
  readonly sequenceMs?: number;
  readonly webhookUrl?: string;
  readonly answer?: (post: WebhookPost) => WebhookAnswer;
  /** Fake time that a post takes; default none. */
  readonly answerMs?: (post: WebhookPost) => number;
  readonly queue?: Partial<MemoryQueueSettings>;
  readonly offer?: Offer;
  readonly quotas?: Partial<Quotas>;
  /** Fake time between two looks of the janitor and of the inbox; default 1 s. */
  readonly loopMs?: number;
}

/** The programs `control` and `generate` over a world of fakes, wired as their `main.ts` wires them. */
export class FakeService<Store extends ObjectStore = MemoryStore> {
  readonly world: FakeWorld<Store>;
  readonly posts: WebhookPost[] = [];
  /** Workers that `crashOn` has killed. */
  crashes = 0;
  readonly #options: FakeServiceOptions;
  readonly #tokenizer = new ByteTokenizer();
  readonly #stops: (() => Promise<unknown>)[] = [];
  readonly #grammars = new FakeGrammars();
  readonly #workers = new Set<MemoryConsumer>();

  /** `store`: in place of the one in memory. A real one should say when it is at rest, and the clock wait for it. */
  constructor(options: FakeServiceOptions = {}, store?: Store) {
    this.#options = options;
    const { webhookUrl } = options;
    const world = fakeWorld({
      ...(webhookUrl === undefined ? {} : { endpoints: [{ id: 'we_1', url: webhookUrl }] }),
      ...(options.queue ? { queue: options.queue } : {}),
      ...(options.offer ? { offer: options.offer } : {}),
      ...(options.quotas ? { quotas: options.quotas } : {}),
    });
    const chosen = store ?? (world.store as ObjectStore as Store);
    this.world = { ...world, store: chosen, records: new BatchRecords(chosen, world.clock) };
  }

  /** Starts a `control`; the function kills it: nothing of it runs any further. */
  startControl(): () => void {
    const world = this.#process();
    const sender = {
      post: async (post: WebhookPost) => {
        this.posts.push(post);
        const ms = this.#options.answerMs?.(post) ?? 0;
        if (ms > 0) await world.clock.sleep(ms);
        return this.#options.answer?.(post) ?? { status: 200, error: null, retryAfterMs: null };
      },
    };
    const deliveries = new SharedDeliveries(world);
    const notifier = {
      ...world,
      sender,
      deliveries,
      webhookTimeoutMs: bounds.webhookTimeoutMs,
    };
    const consumers = [
      world.queue.consume('plan', { concurrency: bounds.plansMax, perTenant: bounds.plansPerTenant }, (job) =>
        planWithinBounds(
          { ...world, tokenizer: this.#tokenizer, grammars: this.#grammars },
          batchJob.parse(job.payload),
          job.stalls,
        ),
      ),
      world.queue.consume('finish', { concurrency: 2 }, (job) =>
        finishWithinBounds(world, batchJob.parse(job.payload), job.stalls),
      ),
      world.queue.consume('deliver', { concurrency: bounds.webhookPosts }, (job) => sendWebhook(notifier, job)),
      world.queue.watchStalled('shard'),
    ];
    const stop = new AbortController();
    const loopMs = this.#options.loopMs ?? 1000;
    const inbox = new InboxWatcher(world, loopMs);
    const janitor = new Janitor(world, loopMs);
    const leases: Lease[] = [];
    const sweep = (name: string, everyMs: number, step: () => Promise<void>): void => {
      const lease = new Lease(world, name, everyMs);
      leases.push(lease);
      void repeat(world, name, everyMs, () => lease.run(step), stop.signal);
    };
    void repeat(world, 'deliveries', loopMs, () => deliveries.wakeAll(), stop.signal);
    void repeat(world, 'inbox', loopMs, () => inbox.poll(), stop.signal);
    sweep('janitor', loopMs, () => janitor.sweep());
    sweep('retention', 60_000, () => sweepRetention(world));
    const kill = () => {
      stop.abort();
      for (const consumer of consumers) world.queue.kill(consumer);
    };
    this.#stops.push(() => {
      kill();
      return Promise.all(leases.map((lease) => lease.release()));
    });
    return kill;
  }

  /** The world as one process sees it: what it remembers and the leases it holds are its own. Refusals of all are counted together. */
  #process(): FakeWorld<Store> {
    const { world } = this;
    return { ...toWorld({ ...world, shared: world.shared.another() }), refusals: world.refusals };
  }

  /** Ends every `control`, as a signal does: from here on only what the test calls happens, and another goes on at once. */
  stopControls(): void {
    for (const stop of this.#stops.splice(0)) void stop();
  }

  /** A worker. With `crashOn`, a prompt that it matches kills its process, and another is started a little later. */
  startGenerate(workerId = 'worker-1'): MemoryConsumer {
    const world = this.#process();
    const { script = shout, crashOn } = this.#options;
    const process = { dead: false };
    let consumer: MemoryConsumer | null = null;
    const engine = new ScriptedEngine(
      (ids, request) => {
        if (!process.dead && crashOn?.(Buffer.from(Uint8Array.from(ids)).toString())) {
          process.dead = true;
          this.crashes++;
          if (consumer) world.queue.kill(consumer);
          void world.clock.sleep(restartMs).then(() => this.startGenerate(`${workerId}+`));
        }
        return script(ids, request);
      },
      { clock: world.clock, sequenceMs: this.#options.sequenceMs ?? 10 },
    );
    const gate = new WorkGate();
    const store = mortalStore(world.store, process);
    const records = new BatchRecords(store, world.clock);
    const generator = {
      ...world,
      store,
      gate,
      onBroken: () => undefined,
      engine,
      tokenizer: this.#tokenizer,
      grammars: this.#grammars,
      meter: new ShapeMeter(() => engine.totals()),
      records,
      planned: records,
      watches: new BatchWatches({ ...world, store }),
      workerId,
    };
    consumer = world.queue.consume('shard', { concurrency: 2 }, (job, signal) => generateShard(generator, job, signal));
    gate.watch([consumer]);
    this.#workers.add(consumer);
    return consumer;
  }

  /** SIGTERM without grace to every worker; another is started a little later. */
  async endWorkers(): Promise<void> {
    const workers = [...this.#workers];
    this.#workers.clear();
    await Promise.all(workers.filter(({ dead }) => !dead).map((worker) => worker.close(0)));
    await this.world.clock.sleep(restartMs);
    this.startGenerate('after-the-end');
  }

  async upload(content: string): Promise<string> {
    const { store, ids, clock } = this.world;
    const id = ids.next('file');
    const contentKey = keys.fileContent(tenant, id);
    await store.put(contentKey, Buffer.from(content));
    const file: StoredFile = {
      v: 1,
      id,
      ...digestContent(Buffer.from(content)),
      filename: 'in.jsonl',
      purpose: 'batch',
      createdMs: clock.now(),
      expiresMs: null,
      contentKey,
      etag: null,
      batchId: null,
    };
    await store.put(keys.file(tenant, id), Buffer.from(JSON.stringify(file)));
    return id;
  }

  create(
    inputFileId: string,
    change: Partial<CreateBatchRequest> = {},
    idempotencyKey: string | null = null,
    retryCount = 0,
  ): Promise<BatchObject> {
    const request = {
      input_file_id: inputFileId,
      endpoint: '/v1/completions',
      completion_window: '24h',
      ...change,
    } as CreateBatchRequest;
    return acceptBatch(this.world, { tenant, request, idempotencyKey, retryCount });
  }

  createInline({ requests }: { requests: readonly object[] }): Promise<BatchObject> {
    return acceptBatch(this.world, {
      tenant,
      request: { requests: inlineRequests(requests) } as CreateBatchRequest,
      idempotencyKey: null,
      retryCount: 0,
    });
  }

  async submit(lines: readonly string[], change: Partial<CreateBatchRequest> = {}): Promise<BatchObject> {
    return this.create(await this.upload(lines.join('\n')), change);
  }

  view(batchId: string): Promise<BatchObject> {
    return viewBatch(this.world, tenant, batchId);
  }

  async untilEnd(batchId: string): Promise<BatchObject> {
    await this.world.clock.until(`the end of ${batchId}`, async () => isTerminal((await this.view(batchId)).status));
    return this.view(batchId);
  }

  /** Lets an hour pass: all that is still to be done is done. */
  settle(): Promise<void> {
    return this.world.clock.advance(3600 * 1000);
  }

  /** The lines of a result file; none when there is none. */
  results(this: FakeService, batchId: string, file: 'output' | 'errors'): ResultLine[] {
    const { store } = this.world;
    const manifest = manifestObject.parse(JSON.parse(store.text(keys.manifest(tenant, batchId)) ?? 'null'));
    const text = store.text(manifest[file]?.key ?? '') ?? '';
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as ResultLine);
  }
}

export interface ResultLine {
  readonly id: string;
  readonly custom_id: string | null;
  readonly response: {
    readonly status_code: number;
    readonly body: {
      readonly choices?: readonly { readonly text: string; readonly finish_reason: string; readonly index: number }[];
      readonly error?: { readonly code: string; readonly message: string; readonly param: string | null };
    };
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export const completionLine = (
  customId: string,
  prompt: unknown,
  change: Readonly<Record<string, unknown>> = {},
): string =>
  JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/completions',
    body: { model: 'test/falcon', prompt, max_tokens: 50, temperature: 0, ...change },
  });
