import { describe, expect, test } from 'vitest';
import { cancelBatch } from '../../../src/app/cancel-batch.js';
import { findFile } from '../../../src/app/files/find-file.js';
import { batchObject, type BatchObject } from '../../../src/contract/batch-object.js';
import { batchStates, isTerminal, mayFollow, type BatchState } from '../../../src/domain/batch-state.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';

const dayMs = 24 * 3600 * 1000;
const lines = Array.from({ length: 150 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));

const times = [
  'in_progress_at',
  'finalizing_at',
  'completed_at',
  'failed_at',
  'expired_at',
  'cancelling_at',
  'cancelled_at',
] as const;

/** Which time says that a state was reached. */
const timeOf: Readonly<Record<BatchState, (typeof times)[number] | 'created_at'>> = {
  validating: 'created_at',
  in_progress: 'in_progress_at',
  finalizing: 'finalizing_at',
  completed: 'completed_at',
  failed: 'failed_at',
  expired: 'expired_at',
  cancelling: 'cancelling_at',
  cancelled: 'cancelled_at',
};

/** Looks at a batch again and again and holds each sight against the one before. */
class Observer {
  readonly service: FakeService;
  readonly id: string;
  readonly seen: BatchState[] = [];
  last: BatchObject | null = null;

  constructor(service: FakeService, id: string) {
    this.service = service;
    this.id = id;
  }

  async look(): Promise<BatchObject> {
    const batch = batchObject.parse(await this.service.view(this.id));
    this.#alone(batch);
    if (this.last) this.#after(this.last, batch);
    if (batch.status !== this.seen.at(-1)) this.seen.push(batch.status);
    this.last = batch;
    return batch;
  }

  async until(state: BatchState): Promise<void> {
    await this.service.world.clock.until(state, async () => (await this.look()).status === state);
  }

  async untilEnd(): Promise<BatchObject> {
    await this.service.world.clock.until('the end', async () => isTerminal((await this.look()).status));
    await this.service.world.clock.advance(3600 * 1000);
    return this.look();
  }

  #alone(batch: BatchObject): void {
    const { status, request_counts: counts } = batch;
    const ended = isTerminal(status);
    expect(batch[timeOf[status]], `${status} without its time`).toBeTypeOf('number');
    const terminal = ['completed_at', 'failed_at', 'expired_at', 'cancelled_at'] as const;
    expect(terminal.filter((name) => batch[name] !== null)).toEqual(ended ? [timeOf[status]] : []);
    for (const [earlier, later] of [
      ['created_at', 'in_progress_at'],
      ['in_progress_at', 'finalizing_at'],
      ['created_at', 'cancelling_at'],
    ] as const)
      if (batch[later] !== null) expect(batch[later], later).toBeGreaterThanOrEqual(batch[earlier] ?? 0);
    if (ended) expect(batch[timeOf[status]]).toBeGreaterThanOrEqual(batch.finalizing_at ?? Infinity);
    expect(counts.completed + counts.failed).toBeLessThanOrEqual(counts.total);
    if (ended) expect(counts.completed + counts.failed).toBe(counts.total);
    else expect([batch.output_file_id, batch.error_file_id, batch.usage]).toEqual([null, null, null]);
    if (ended) {
      expect(batch.output_file_id !== null).toBe(counts.completed > 0);
      expect(batch.error_file_id !== null).toBe(counts.failed > 0);
      expect(batch.usage !== null).toBe(counts.total > 0);
    }
    expect(batch.errors === null || status === 'failed' || status === 'finalizing').toBe(true);
    expect(batch.model !== null).toBe(counts.total > 0);
  }

  #after(before: BatchObject, now: BatchObject): void {
    expect(mayFollow(before.status, now.status), `${before.status} → ${now.status}`).toBe(true);
    for (const name of times) if (before[name] !== null) expect(now[name], `${name} was changed`).toBe(before[name]);
    for (const name of ['total', 'completed', 'failed'] as const)
      expect(now.request_counts[name], name).toBeGreaterThanOrEqual(before.request_counts[name]);
    if (before.model !== null) expect(now.model).toBe(before.model);
    for (const name of ['id', 'created_at', 'expires_at', 'input_file_id', 'completion_window', 'metadata'] as const)
      expect(now[name], name).toEqual(before[name]);
  }
}

async function started(
  content: readonly string[],
  { sequenceMs = 3000, validation = 'strict' as 'strict' | 'lenient' } = {},
): Promise<{ service: FakeService; observer: Observer }> {
  const service = new FakeService({ sequenceMs });
  const { id } = await service.submit(content, { metadata: { run: 'a' }, eyrie: { validation } } as never);
  const observer = new Observer(service, id);
  expect(await observer.look()).toMatchObject({ status: 'validating', request_counts: { total: 0 } });
  return { service, observer };
}

const seenAnywhere = new Set<BatchState>();

describe('a batch shows each state with its time, and never goes back', () => {
  const run = (service: FakeService): void => {
    service.startControl();
    service.startGenerate();
  };
  const expectEnd = async (observer: Observer, status: BatchState, by: readonly BatchState[]): Promise<BatchObject> => {
    const batch = await observer.untilEnd();
    expect(observer.seen.at(-1)).toBe(status);
    for (const state of by) expect(observer.seen).toContain(state);
    for (const state of observer.seen) seenAnywhere.add(state);
    return batch;
  };

  test('completed', async () => {
    const { service, observer } = await started([...lines, completionLine('hot', 'x', { temperature: 9 })]);
    run(service);
    const batch = await expectEnd(observer, 'completed', ['validating', 'in_progress']);
    expect(batch.request_counts).toEqual({ total: 151, completed: 150, failed: 1 });
    expect(batch.usage).toMatchObject({
      total_tokens: (batch.usage?.input_tokens ?? 0) + (batch.usage?.output_tokens ?? 0),
      input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 0 },
    });
  });

  test('completed, although the hints were lost and workers died on the way', async () => {
    const { service, observer } = await started(lines);
    const kill = service.startControl();
    const worker = service.startGenerate();
    await service.world.clock.until('work', async () => (await observer.look()).request_counts.completed > 0);
    service.world.progress.wipe();
    service.world.queue.kill(worker);
    kill();
    service.world.queue.wipe();
    run(service);
    await expectEnd(observer, 'completed', ['in_progress']);
  });

  test('finalizing, where a cancel comes too late', async () => {
    const { service, observer } = await started(lines);
    service.startControl();
    await observer.until('in_progress');
    service.stopControls();
    service.startGenerate();
    await observer.until('finalizing');
    expect((await cancelBatch(service.world, tenant, observer.id)).status).toBe('finalizing');
    service.startControl();
    await expectEnd(observer, 'completed', ['finalizing']);
  });

  test('failed: a line that is no request, and a file that is not there', async () => {
    const { service, observer } = await started([...lines, '{}']);
    run(service);
    const batch = await expectEnd(observer, 'failed', ['validating']);
    expect(batch).toMatchObject({ request_counts: { total: 0 }, errors: { object: 'list', data: [{ line: 151 }] } });
    const absent = new Observer(service, (await service.create('file-absent')).id);
    expect(await expectEnd(absent, 'failed', [])).toMatchObject({
      errors: { data: [{ code: 'invalid_request', param: 'file_id', line: null }] },
    });
  });

  test('failed: the input is replaced while it is worked on', async () => {
    const many = Array.from({ length: 400 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));
    const { service, observer } = await started(many);
    run(service);
    await service.world.clock.until('work', async () => (await observer.look()).request_counts.completed > 0);
    const input = await findFile(service.world, tenant, observer.last?.input_file_id ?? '');
    await service.world.store.put(input?.contentKey ?? '', Buffer.from(many.toReversed().join('\n')));
    const batch = await expectEnd(observer, 'failed', ['in_progress']);
    expect(batch.request_counts.failed).toBeGreaterThan(0);
    const errors = service.results(batch.id, 'errors');
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['input_changed']));
  });

  test('expired, before it was planned and in the middle', async () => {
    const early = await started(lines);
    early.service.world.clock.jump(dayMs);
    run(early.service);
    expect(await expectEnd(early.observer, 'expired', ['validating'])).toMatchObject({ request_counts: { total: 0 } });
    const { service, observer } = await started(lines);
    run(service);
    await service.world.clock.until('work', async () => (await observer.look()).request_counts.completed > 0);
    service.world.clock.jump(dayMs);
    const batch = await expectEnd(observer, 'expired', ['in_progress']);
    expect(batch.request_counts.completed).toBeGreaterThan(0);
    expect(batch.request_counts.failed).toBeGreaterThan(0);
  });

  test('cancelling and cancelled, before it was planned and in the middle', async () => {
    const early = await started(lines);
    expect((await cancelBatch(early.service.world, tenant, early.observer.id)).status).toBe('cancelling');
    await early.observer.look();
    run(early.service);
    await expectEnd(early.observer, 'cancelled', ['validating', 'cancelling']);
    const { service, observer } = await started(lines);
    run(service);
    await service.world.clock.until('work', async () => (await observer.look()).request_counts.completed > 0);
    const asked = await cancelBatch(service.world, tenant, observer.id);
    expect(asked.status).toBe('cancelling');
    await service.world.clock.advance(100);
    await observer.look();
    expect((await cancelBatch(service.world, tenant, observer.id)).cancelling_at).toBe(asked.cancelling_at);
    const batch = await expectEnd(observer, 'cancelled', ['in_progress', 'cancelling']);
    expect((await cancelBatch(service.world, tenant, observer.id)).status, 'again').toBe('cancelled');
    expect(batch.request_counts.completed).toBeGreaterThan(0);
  });

  test('which are all of the eight', () => {
    expect([...seenAnywhere].toSorted()).toEqual([...batchStates].toSorted());
  });
});

test('whoever sees the end sees what led to it, however the reads fall', async () => {
  const { service, observer } = await started(['{}']);
  const { world } = service;
  // The batch ends between two reads of one look: right before each read in turn.
  for (let at = 0; at < 12; at++) {
    const { id } = await service.submit(['{}']);
    let reads = 0;
    world.store.fault = ({ key }) => {
      if (!key.includes(id) || reads++ !== at) return undefined;
      world.store.fault = () => undefined;
      return { delayMs: 60_000 };
    };
    const look = service.view(id);
    await new Promise((resolve) => setImmediate(resolve));
    service.startControl();
    await world.clock.advance(120_000);
    service.stopControls();
    world.store.fault = () => undefined;
    const batch = await look;
    if (batch.status === 'failed') expect(batch.errors?.data).toHaveLength(1);
    expect((await service.view(id)).status).toBe('failed');
    if (reads < at) break;
  }
  expect((await observer.untilEnd()).errors?.data).toHaveLength(1);
});

test('the errors of a failed batch are a hundred, and then their number', async () => {
  const { service, observer } = await started(Array.from({ length: 250 }, (_, at) => `line ${at}`));
  service.startControl();
  const { errors } = await observer.untilEnd();
  expect(errors?.data).toHaveLength(101);
  expect(errors?.data.slice(0, 100).map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  expect(errors?.data[100]).toMatchObject({
    line: null,
    param: null,
    message: expect.stringContaining('250') as string,
  });
  expect(service.results(observer.id, 'output')).toEqual([]);
});
