import { afterEach, expect, test } from 'vitest';
import { Metrics } from '../../../src/observe/metrics.js';
import { startOperatorServer, type OperatorServer } from '../../../src/observe/operator-server.js';
import { MemoryLog } from '../../support/memory-log.js';

let server: OperatorServer | null = null;
afterEach(() => server?.close());

const zero = { waiting: 0, active: 0, delayed: 0 };

test('counts what the steps log, by words of ours only', async () => {
  const metrics = new Metrics('api');
  const inner = new MemoryLog();
  const log = metrics.watch(inner);
  log.info('http.request', { method: 'GET', route: '/v1/batches/:batch_id', status: 200, ms: 12, tenant: 'acme' });
  log.info('http.request', { method: 'BREW', route: null, status: 404, ms: 1 });
  log.info('batch.accepted', { tenant: 'acme', batchId: 'batch_1' });
  log.info('batch.finished', { tenant: 'acme', batchId: 'batch_1', state: 'completed' });
  log.info('shard.done', { tenant: 'acme', completed: 60, failed: 4 });
  log.info('webhook.will_retry', { tenant: 'acme' });
  log.error('job.gave_up', { kind: 'shard', job: 's-batch_1-0' }, new Error('secret'));
  const text = await metrics.text();
  for (const line of [
    'eyrie_http_requests_total{method="GET",route="/v1/batches/:batch_id",status="200",program="api"} 1',
    'eyrie_http_requests_total{method="other",route="none",status="404",program="api"} 1',
    'eyrie_batches_total{state="accepted",program="api"} 1',
    'eyrie_batches_total{state="completed",program="api"} 1',
    'eyrie_lines_total{outcome="completed",program="api"} 60',
    'eyrie_lines_total{outcome="failed",program="api"} 4',
    'eyrie_webhook_attempts_total{outcome="will_retry",program="api"} 1',
    'eyrie_job_failures_total{kind="shard",outcome="gave_up",program="api"} 1',
  ])
    expect(text).toContain(line);
  expect(text).toMatch(/nodejs_eventloop_lag_seconds/);
  expect(text).toMatch(/process_resident_memory_bytes/);
  expect(text).not.toMatch(/acme|batch_1|secret|BREW/);
});

test('reads the engine and the queue at each scrape', async () => {
  const metrics = new Metrics('generate');
  let promptTokens = 5;
  metrics.watchEngine(
    () => ({ promptTokens, generatedTokens: 3, paddedPrefillTokens: 2, idleSlotSteps: 1, overrunTokens: 0 }),
    () => 42.5,
  );
  metrics.watchQueue({
    backlog: (kind) => (kind === 'plan' ? Promise.reject(new Error('away')) : Promise.resolve({ ...zero, waiting: 7 })),
  });
  expect(await metrics.text()).toContain('eyrie_tokens_total{kind="prompt",program="generate"} 5');
  promptTokens = 9;
  const text = await metrics.text();
  expect(text).toContain('eyrie_tokens_total{kind="prompt",program="generate"} 9');
  expect(text).toContain('eyrie_tokens_total{kind="padding",program="generate"} 2');
  expect(text).toContain('eyrie_tokens_per_second{program="generate"} 42.5');
  expect(text).toContain('eyrie_queue_jobs{kind="shard",state="waiting",program="generate"} 7');
  expect(text).not.toContain('eyrie_queue_jobs{kind="plan"');
});

test('the operator gets metrics and health, and nothing else', async () => {
  server = await startOperatorServer('127.0.0.1', 0, new Metrics('control'));
  const at = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server?.port}${path}`, { method });
  const metrics = await at('/metrics');
  expect(metrics.status).toBe(200);
  expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await metrics.text()).toContain('process_cpu_seconds_total{program="control"}');
  expect(await (await at('/health')).json()).toEqual({ status: 'ok' });
  expect((await at('/v1/files')).status).toBe(404);
  expect((await at('/metrics', 'POST')).status).toBe(404);
});
