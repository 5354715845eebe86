import type { Counter, Histogram } from 'prom-client';
import type { LogFields } from '../ports/log.js';

export interface EventCounters {
  readonly requests: Counter<'method' | 'route' | 'status'>;
  readonly requestSeconds: Histogram<'method' | 'route'>;
  readonly clientsGone: Counter;
  readonly batches: Counter<'state'>;
  readonly lines: Counter<'outcome'>;
  readonly shards: Counter<'outcome'>;
  readonly linesGivenUp: Counter<'code'>;
  readonly liveCalls: Counter<'outcome'>;
  readonly webhooks: Counter<'outcome'>;
  readonly jobFailures: Counter<'kind' | 'outcome'>;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'DELETE']);

/** A field as a label. The fields that get here are words of ours: route patterns, states, kinds. */
const word = (value: LogFields[string]): string => (typeof value === 'string' ? value : 'none');
const amount = (value: LogFields[string]): number => (typeof value === 'number' ? value : 0);

/** What each event adds to. Events that are not named here count nothing. */
const meanings: Readonly<Record<string, (counters: EventCounters, fields: LogFields) => void>> = {
  'http.request': ({ requests, requestSeconds }, { method, route, status, ms }) => {
    // A method or path that no route has is the client's own word.
    const labels = { method: methods.has(word(method)) ? word(method) : 'other', route: word(route) };
    requests.inc({ ...labels, status: String(amount(status)) });
    requestSeconds.observe(labels, amount(ms) / 1000);
  },
  'http.client_gone': ({ clientsGone }) => clientsGone.inc(),
  'batch.accepted': ({ batches }) => batches.inc({ state: 'accepted' }),
  'batch.planned': ({ batches }, { kind }) => {
    // A verdict ends the batch, which is counted as its end.
    if (kind === 'work') batches.inc({ state: 'in_progress' });
  },
  'batch.finished': ({ batches }, { state }) => batches.inc({ state: word(state) }),
  'shard.done': ({ shards, lines }, { completed, failed }) => {
    shards.inc({ outcome: 'done' });
    lines.inc({ outcome: 'completed' }, amount(completed));
    lines.inc({ outcome: 'failed' }, amount(failed));
  },
  'shard.lost_race': ({ shards }) => shards.inc({ outcome: 'lost_race' }),
  'shard.worker_lost': ({ shards }) => shards.inc({ outcome: 'worker_lost' }),
  'lines.given_up': ({ linesGivenUp }, { code, lines }) => linesGivenUp.inc({ code: word(code) }, amount(lines)),
  'batch.step_given_up': ({ jobFailures }, { step }) => jobFailures.inc({ kind: word(step), outcome: 'batch_failed' }),
  'live.done': ({ liveCalls }, { outcome }) => liveCalls.inc({ outcome: word(outcome) }),
  'webhook.delivered': ({ webhooks }) => webhooks.inc({ outcome: 'delivered' }),
  'webhook.will_retry': ({ webhooks }) => webhooks.inc({ outcome: 'will_retry' }),
  'webhook.gave_up': ({ webhooks }) => webhooks.inc({ outcome: 'gave_up' }),
  'job.will_retry': ({ jobFailures }, { kind }) => jobFailures.inc({ kind: word(kind), outcome: 'will_retry' }),
  'job.gave_up': ({ jobFailures }, { kind }) => jobFailures.inc({ kind: word(kind), outcome: 'gave_up' }),
  'job.stalled': ({ jobFailures }, { kind }) => jobFailures.inc({ kind: word(kind), outcome: 'stalled' }),
};

/** The events that count; a test looks for the code that logs each. */
export const countedEvents: readonly string[] = Object.keys(meanings);

export function countEvent(counters: EventCounters, event: string, fields: LogFields): void {
  meanings[event]?.(counters, fields);
}
