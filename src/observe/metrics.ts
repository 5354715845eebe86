import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ShareState } from '../ports/share-state.js';
import type { EngineTotals } from '../ports/engine.js';
import { jobKinds, type JobQueue } from '../ports/job-queue.js';
import type { Log, LogFields } from '../ports/log.js';
import { countEvent, type EventCounters } from './count-event.js';

/**
 * The Prometheus metrics of one program. What the steps do is counted from the events they log, whatever the log level: an event
 * is the one place where a step says what happened. Labels come from fixed lists of ours; no id, tenant or text of a user
 * becomes one.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters: EventCounters;

  constructor(program: 'api' | 'control' | 'generate') {
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ program });
    // Event-loop lag, memory, garbage collection, processor time, open files.
    collectDefaultMetrics({ register: this.#registry });
    const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> =>
      new Counter({ name, help, labelNames, registers });
    this.#counters = {
      requests: counter('eyrie_http_requests_total', 'Answers by route and status', ['method', 'route', 'status']),
      requestSeconds: new Histogram({
        name: 'eyrie_http_request_seconds',
        help: 'Time from a request to the end of its answer, by route',
        labelNames: ['method', 'route'],
        buckets: [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300],
        registers,
      }),
      clientsGone: counter('eyrie_http_clients_gone_total', 'Requests whose client went away before the answer', []),
      batches: counter('eyrie_batches_total', 'Batches by the state they came into', ['state']),
      lines: counter('eyrie_lines_total', 'Lines of ended shards by outcome', ['outcome']),
      linesGivenUp: counter(
        'eyrie_lines_given_up_total',
        'Lines that were never carried out, by the code of their error',
        ['code'],
      ),
      shards: counter(
        'eyrie_shards_total',
        'Shards by outcome; lost_race: another worker was first; worker_lost: a worker was lost while it held one',
        ['outcome'],
      ),
      liveCalls: counter('eyrie_live_calls_total', 'Calls that waited for their answer, by outcome', ['outcome']),
      webhooks: counter('eyrie_webhook_attempts_total', 'Attempts to deliver an event, by what became of it', [
        'outcome',
      ]),
      jobFailures: counter('eyrie_job_failures_total', 'Jobs that failed, by kind and what follows', [
        'kind',
        'outcome',
      ]),
    };
  }

  /** Counts what goes through the log. */
  watch(log: Log): Log {
    const counted =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (event: string, fields: LogFields = {}, cause?: unknown): void => {
        countEvent(this.#counters, event, fields);
        if (level === 'error') log.error(event, fields, cause);
        else log[level](event, fields);
      };
    return { debug: counted('debug'), info: counted('info'), warn: counted('warn'), error: counted('error') };
  }

  /** Tokens and padding of an engine, read at each scrape. */
  watchEngine(totals: () => EngineTotals, tokensPerSecond: () => number): void {
    const registers = [this.#registry];
    const speed = new Gauge({
      name: 'eyrie_tokens_per_second',
      help: 'Useful tokens per second, smoothed over the time at work',
      registers,
      collect() {
        speed.set(tokensPerSecond());
      },
    });
    const tokens = new Counter({
      name: 'eyrie_tokens_total',
      help: 'Rows of the engine by kind: prompt and generated are useful; padding, idle (slot-steps) and overrun are not',
      labelNames: ['kind'] as const,
      registers,
      collect() {
        const now = totals();
        tokens.reset();
        tokens.inc({ kind: 'prompt' }, now.promptTokens);
        tokens.inc({ kind: 'generated' }, now.generatedTokens);
        tokens.inc({ kind: 'padding' }, now.paddedPrefillTokens);
        tokens.inc({ kind: 'idle' }, now.idleSlotSteps);
        tokens.inc({ kind: 'overrun' }, now.overrunTokens);
      },
    });
  }

  /** Refused work by the bound that caused it, read at each scrape. */
  watchRefusals(counts: () => ReadonlyMap<string, number>): void {
    const refused = new Counter({
      name: 'eyrie_refused_total',
      help: 'Work that was refused, by the bound that it would pass',
      labelNames: ['bound'] as const,
      registers: [this.#registry],
      collect() {
        refused.reset();
        for (const [bound, count] of counts()) refused.inc({ bound }, count);
      },
    });
  }

  /** What this program shares out among tenants, by what it is, read at each scrape. No tenant is named. */
  watchShares(shares: Readonly<Record<string, { state(): ShareState }>>): void {
    const registers = [this.#registry];
    const labelNames = ['share'] as const;
    const steps = new Gauge({
      name: 'eyrie_share_steps',
      help: 'Steps of tenants by what they share and whether they wait or run',
      labelNames: ['share', 'state'] as const,
      registers,
      collect() {
        for (const [share, { state }] of all) {
          const { waiting, active } = state();
          steps.set({ share, state: 'waiting' }, waiting);
          steps.set({ share, state: 'active' }, active);
        }
      },
    });
    const busiest = new Gauge({
      name: 'eyrie_busiest_tenant_share',
      help: 'Part of the places in use that the tenant with the most of them holds, 0 to 1',
      labelNames,
      registers,
      collect() {
        for (const [share, { state }] of all) busiest.set({ share }, state().busiestShare);
      },
    });
    const all = Object.entries(shares).map(([name, share]) => [name, { state: () => share.state() }] as const);
  }

  /** Jobs in the queue by kind and state, read at each scrape; absent while the queue cannot be asked. */
  watchQueue(queue: Pick<JobQueue, 'backlog'>): void {
    const jobs = new Gauge({
      name: 'eyrie_queue_jobs',
      help: 'Jobs by kind and state',
      labelNames: ['kind', 'state'] as const,
      registers: [this.#registry],
      async collect() {
        jobs.reset();
        await Promise.all(
          jobKinds.map(async (kind) => {
            const backlog = await queue.backlog(kind).catch(() => null);
            if (!backlog) return;
            for (const state of ['waiting', 'active', 'delayed'] as const) jobs.set({ kind, state }, backlog[state]);
          }),
        );
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
