import { acceptBatch } from '../../src/app/accept-batch.js';
import { finishBatch } from '../../src/app/finish-batch.js';
import { generateShard } from '../../src/app/generate-shard.js';
import { planBatch } from '../../src/app/plan-batch.js';
import { Janitor } from '../../src/app/reconcile.js';
import { repeat } from '../../src/app/repeat.js';
import { sweepRetention } from '../../src/app/retention/sweep-retention.js';
import { sendWebhook } from '../../src/app/send-webhook.js';
import { PlannedBatches } from '../../src/app/planned-batches.js';
import { ShapeMeter } from '../../src/app/shape-meter.js';
import { EndpointLanes } from '../../src/app/webhooks/endpoint-lanes.js';
import { viewBatch } from '../../src/app/view-batch.js';
import { InboxWatcher } from '../../src/app/watch-inbox.js';
import type { BatchObject } from '../../src/contract/batch-object.js';
import type { CreateBatchRequest } from '../../src/contract/create-batch.js';
import { batchJob } from '../../src/contract/queue-payload.js';
import type { StoredFile } from '../../src/contract/stored-objects.js';
import { isTerminal } from '../../src/domain/batch-state.js';
import { bounds } from '../../src/domain/bounds.js';
import type { Offer } from '../../src/domain/offer.js';
import type { Quotas } from '../../src/domain/quotas.js';
import { keys } from '../../src/domain/object-keys.js';
import type { WebhookAnswer, WebhookPost } from '../../src/ports/webhook-sender.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import { FakeGrammars } from './fake-grammars.js';
import { fakeWorld, type FakeWorld } from './fake-world.js';
import type { MemoryConsumer, MemoryQueueSettings } from './memory-queue.js';
import { ScriptedEngine, type Script } from './scripted-engine.js';

export const tenant = 'acme';

/** Answers a prompt with its text in capitals. */
export const shout: Script = (ids) => Buffer.from(Uint8Array.from(ids)).toString().toUpperCase();

export interface FakeServiceOptions {
  readonly script?: Script;
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
export class FakeService {
  readonly world: FakeWorld;
  readonly posts: WebhookPost[] = [];
  readonly #options: FakeServiceOptions;
  readonly #tokenizer = new ByteTokenizer();
  readonly #stops: (() => void)[] = [];
  readonly #grammars = new FakeGrammars();

  constructor(options: FakeServiceOptions = {}) {
    this.#options = options;
    const { webhookUrl } = options;
    this.world = fakeWorld({
      ...(webhookUrl === undefined ? {} : { endpoints: [{ id: 'we_1', url: webhookUrl }] }),
      ...(options.queue ? { queue: options.queue } : {}),
      ...(options.offer ? { offer: options.offer } : {}),
      ...(options.quotas ? { quotas: options.quotas } : {}),
    });
  }

  /** Starts a `control`; the function kills it: nothing of it runs any further. */
  startControl(): () => void {
    const { world } = this;
    const sender = {
      post: async (post: WebhookPost) => {
        this.posts.push(post);
        const ms = this.#options.answerMs?.(post) ?? 0;
        if (ms > 0) await world.clock.sleep(ms);
        return this.#options.answer?.(post) ?? { status: 200, error: null, retryAfterMs: null };
      },
    };
    const notifier = {
      ...world,
      sender,
      lanes: new EndpointLanes(),
      webhookTimeoutMs: bounds.webhookTimeoutMs,
    };
    const consumers = [
      world.queue.consume('plan', { concurrency: 2 }, (job) =>
        planBatch({ ...world, tokenizer: this.#tokenizer, grammars: this.#grammars }, batchJob.parse(job.payload)),
      ),
      world.queue.consume('finish', { concurrency: 2 }, (job) => finishBatch(world, batchJob.parse(job.payload))),
      world.queue.consume('deliver', { concurrency: 16 }, (job) => sendWebhook(notifier, job)),
      world.queue.watchStalled('shard'),
    ];
    const stop = new AbortController();
    const loopMs = this.#options.loopMs ?? 1000;
    const inbox = new InboxWatcher(world, loopMs);
    const janitor = new Janitor(world);
    void repeat(world, 'inbox', loopMs, () => inbox.poll(), stop.signal);
    void repeat(world, 'janitor', loopMs, () => janitor.sweep(), stop.signal);
    void repeat(world, 'retention', 60_000, () => sweepRetention(world), stop.signal);
    const kill = () => {
      stop.abort();
      for (const consumer of consumers) world.queue.kill(consumer);
    };
    this.#stops.push(kill);
    return kill;
  }

  /** Kills every `control`: from here on only what the test calls happens. */
  stopControls(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  startGenerate(workerId = 'worker-1'): MemoryConsumer {
    const { world } = this;
    const engine = new ScriptedEngine(this.#options.script ?? shout, {
      clock: world.clock,
      sequenceMs: this.#options.sequenceMs ?? 10,
    });
    const generator = {
      ...world,
      engine,
      tokenizer: this.#tokenizer,
      grammars: this.#grammars,
      meter: new ShapeMeter(() => engine.totals()),
      planned: new PlannedBatches(world.store),
      workerId,
    };
    return world.queue.consume('shard', { concurrency: 2 }, (job, signal) => generateShard(generator, job, signal));
  }

  async upload(content: string): Promise<string> {
    const { store, ids, clock } = this.world;
    const id = ids.next('file');
    const contentKey = keys.fileContent(tenant, id);
    const { etag } = await store.put(contentKey, Buffer.from(content));
    const file: StoredFile = {
      v: 1,
      id,
      bytes: Buffer.byteLength(content),
      sha256: '',
      filename: 'in.jsonl',
      purpose: 'batch',
      createdMs: clock.now(),
      expiresMs: null,
      contentKey,
      etag,
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

  createInline(request: Partial<CreateBatchRequest>): Promise<BatchObject> {
    return acceptBatch(this.world, {
      tenant,
      request: request as CreateBatchRequest,
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

  results(batchId: string, file: 'output' | 'errors'): ResultLine[] {
    const text = this.world.store.text(keys[file](tenant, batchId)) ?? '';
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
