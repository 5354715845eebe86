import { describe, expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { keys } from '../../../src/domain/object-keys.js';

const lines = (count: number, poison: readonly number[] = []): string[] =>
  Array.from({ length: count }, (_, at) =>
    completionLine(`line-${at}`, poison.includes(at) ? `poison ${at}` : `prompt ${at}`),
  );
const isPoison = (prompt: string): boolean => prompt.startsWith('poison');
const shoutUnless = (failure: (prompt: string) => Error | null) => (ids: Uint32Array) => {
  const prompt = Buffer.from(Uint8Array.from(ids)).toString();
  return failure(prompt) ?? prompt.toUpperCase();
};

function answersOf(service: FakeService, id: string): (string | null)[] {
  return service.results(id, 'output').map((line) => line.custom_id);
}
const errorsOf = (service: FakeService, id: string) =>
  service.results(id, 'errors').map((line) => [line.custom_id, line.error?.code ?? line.response?.body.error?.code]);

async function start(options: ConstructorParameters<typeof FakeService>[0]): Promise<FakeService> {
  const service = new FakeService(options);
  service.startControl();
  service.startGenerate();
  return Promise.resolve(service);
}

describe('a prompt that kills its worker', () => {
  test('is found and given up; every other line has its answer, and other batches end meanwhile', async () => {
    const service = await start({ crashOn: isPoison });
    const poisoned = await service.submit(lines(64, [37]));
    const healthy = await service.submit(lines(200));
    expect(await service.untilEnd(healthy.id)).toMatchObject({
      status: 'completed',
      request_counts: { completed: 200 },
    });
    expect(await service.untilEnd(poisoned.id)).toMatchObject({
      status: 'completed',
      request_counts: { total: 64, completed: 63, failed: 1 },
    });
    expect(errorsOf(service, poisoned.id)).toEqual([['line-37', 'worker_crashed']]);
    expect(answersOf(service, poisoned.id)).toEqual(
      Array.from({ length: 64 }, (_, at) => `line-${at}`).filter((name) => name !== 'line-37'),
    );
    // Beside others, at 32 lines, at 4, and twice alone.
    expect(service.crashes).toBe(5);
  });

  test('is not met again: an hour of sweeps queues nothing', async () => {
    const service = await start({ crashOn: isPoison });
    const { id } = await service.submit(lines(64, [3]));
    await service.untilEnd(id);
    await service.settle();
    const crashes = service.crashes;
    const added = service.world.queue.added.length;
    await service.settle();
    expect(service.crashes).toBe(crashes);
    expect(service.world.queue.added.length).toBe(added);
  });

  test('is found although the queue loses everything at each crash once it is a suspect', async () => {
    const service = await start({ crashOn: isPoison });
    const { id } = await service.submit(lines(64, [63]));
    let seen = 1;
    await service.world.clock.until('the end', async () => {
      if (service.crashes > seen) {
        seen = service.crashes;
        service.world.queue.wipe();
      }
      return (await service.view(id)).status === 'completed';
    });
    expect(errorsOf(service, id)).toEqual([['line-63', 'worker_crashed']]);
    expect(service.crashes).toBe(5);
  });

  test('several of them in one shard cost each its own line only', async () => {
    const service = await start({ crashOn: isPoison });
    const { id } = await service.submit(lines(64, [0, 1, 40, 63]));
    await service.untilEnd(id);
    expect(errorsOf(service, id)).toEqual([0, 1, 40, 63].map((at) => [`line-${at}`, 'worker_crashed']));
    expect(answersOf(service, id)).toHaveLength(60);
  });

  test('in every line ends the batch after a bounded number of crashes, and spares the innocent shards', async () => {
    const service = await start({ crashOn: isPoison });
    const poison = Array.from({ length: 640 }, (_, at) => at);
    const { id } = await service.submit(lines(704, poison));
    const batch = await service.untilEnd(id);
    expect(batch.request_counts).toEqual({ total: 704, completed: 64, failed: 640 });
    expect(new Set(errorsOf(service, id).map(([, code]) => code))).toEqual(new Set(['worker_crashed']));
    expect(service.crashes).toBeLessThan(bounds.batchFailuresMax + 60);
  });

  test('beside a cancel: what was finished is kept, the rest is cancelled', async () => {
    const service = await start({ crashOn: isPoison, sequenceMs: 500 });
    const { id } = await service.submit(lines(64, [20]));
    await service.world.clock.until('the third crash', () => service.crashes === 3);
    await service.world.store.create(
      keys.cancel(tenant, id),
      Buffer.from(JSON.stringify({ v: 1, requestedMs: service.world.clock.now() })),
    );
    const batch = await service.untilEnd(id);
    expect(batch.status).toBe('cancelled');
    const codes = errorsOf(service, id).map(([, code]) => code);
    expect(codes.length + answersOf(service, id).length).toBe(64);
    // The ranges that were done when the worker died.
    expect(answersOf(service, id)).toEqual(Array.from({ length: 20 }, (_, at) => `line-${at}`));
    expect(service.world.store.keys().filter((key) => key.endsWith('/part.jsonl'))).toEqual([]);
    expect(new Set(codes)).toEqual(new Set(['batch_cancelled']));
  });
});

describe('a worker that is told to end while it runs a suspect', () => {
  test('leaves what is not done to the next one, whenever that happens', async () => {
    for (let stopAt = 1; stopAt < 12; stopAt++) {
      let writes = 0;
      const service = new FakeService({ crashOn: isPoison, sequenceMs: 200 });
      service.startControl();
      service.startGenerate();
      const { id } = await service.submit(lines(64, [40]));
      await service.world.clock.until('a suspect', () => service.crashes === 1);
      service.world.store.fault = ({ operation, key }) => {
        if (operation === 'list' || !key.includes('/attempts/')) return undefined;
        // Just when the range's results or its note are written.
        if (++writes === stopAt) void service.endWorkers();
        return { delayMs: 50 };
      };
      await service.untilEnd(id);
      expect(errorsOf(service, id), `at ${stopAt}`).toEqual([['line-40', 'worker_crashed']]);
      expect(answersOf(service, id), `at ${stopAt}`).toHaveLength(63);
    }
  });
});

describe('a shard that always throws', () => {
  test('is divided down to the line, which gets the error; the others have their answers', async () => {
    const service = await start({
      script: shoutUnless((prompt) => (isPoison(prompt) ? new EyrieError('internal_error', 'A kernel failed.') : null)),
    });
    const { id } = await service.submit(lines(64, [5]));
    const other = await service.submit(lines(64));
    expect(await service.untilEnd(other.id)).toMatchObject({ request_counts: { completed: 64 } });
    expect(await service.untilEnd(id)).toMatchObject({
      status: 'completed',
      request_counts: { completed: 63, failed: 1 },
    });
    expect(errorsOf(service, id)).toEqual([['line-5', 'internal_error']]);
  });

  test('with an error that the queue does not retry, too', async () => {
    const service = await start({
      script: shoutUnless((prompt) => (isPoison(prompt) ? new EyrieError('out_of_memory', 'Too large.') : null)),
    });
    const { id } = await service.submit(lines(64, [5]));
    expect(await service.untilEnd(id)).toMatchObject({ request_counts: { completed: 63, failed: 1 } });
    expect(errorsOf(service, id)).toEqual([['line-5', 'out_of_memory']]);
  });

  test('because its worker is broken condemns no line: the batch waits for a worker that works', async () => {
    let broken = true;
    const service = await start({
      script: shoutUnless(() => (broken ? new EyrieError('internal_error', 'The device is gone.') : null)),
    });
    const { id } = await service.submit(lines(64));
    await service.world.clock.advance(20 * 60 * 1000);
    expect((await service.view(id)).request_counts).toEqual({ total: 64, completed: 0, failed: 0 });
    broken = false;
    expect(await service.untilEnd(id)).toMatchObject({ request_counts: { completed: 64, failed: 0 } });
  });

  test('because the store is away now and then condemns no line', async () => {
    const service = await start({});
    const { id } = await service.submit(lines(64));
    let away = 30;
    service.world.store.fault = ({ operation, key }) =>
      operation === 'create' && key.includes('/parts/') && away-- > 0 ? { fail: 'before' } : undefined;
    expect(await service.untilEnd(id)).toMatchObject({ request_counts: { completed: 64, failed: 0 } });
  });
});

describe('a batch that cannot be planned', () => {
  test('fails with the code of its failure after a bounded number of attempts', async () => {
    const service = await start({});
    let reads = 0;
    const fileId = await service.upload(lines(10).join('\n'));
    service.world.store.fault = ({ operation, key }) =>
      operation === 'getStream' && key.includes(fileId) && ++reads > 0
        ? { fail: 'before', error: new EyrieError('internal_error', 'A fault of the test.') }
        : undefined;
    const { id } = await service.create(fileId);
    const batch = await service.untilEnd(id);
    expect(batch).toMatchObject({ status: 'failed', errors: { data: [{ code: 'internal_error' }] } });
    expect(batch.errors?.data[0]?.message).toContain('Submit the batch again');
    await service.settle();
    expect(reads).toBe(bounds.stepAttemptsMax);
  });
});
