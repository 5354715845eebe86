import { describe, expect, test } from 'vitest';
import { acceptBatch } from '../../../src/app/accept-batch.js';
import { deleteFile } from '../../../src/app/files/delete-file.js';
import { listFiles } from '../../../src/app/files/list-files.js';
import { storeFile } from '../../../src/app/files/store-file.js';
import { planBatch } from '../../../src/app/plan-batch.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { retryFailed } from '../../../src/app/retry/retry-failed.js';
import type { BatchObject } from '../../../src/contract/batch-object.js';
import type { CreateBatchRequest } from '../../../src/contract/create-batch.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { keys } from '../../../src/domain/object-keys.js';
import type { ObjectStore } from '../../../src/ports/object-store.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { inlineRequests } from '../../support/inline-requests.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { gateStore, type Gate } from '../../support/gated-store.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const lines = [completionLine('a', 'one'), completionLine('b', 'two'), completionLine('c', 'three')];
const promptOf = (ids: Uint32Array): string => Buffer.from(Uint8Array.from(ids)).toString();

/** An engine that fails for the prompt `two` while `broken`. */
class Service extends FakeService {
  broken = false;

  constructor() {
    super({
      loopMs: 10 * minuteMs,
      script: (ids) =>
        this.broken && promptOf(ids) === 'two' ? new EyrieError('numeric_error', 'No number.') : promptOf(ids),
    });
  }
}

type Place = (operation: string, key: string) => boolean;

interface Beginning {
  /** What makes the batch. */
  readonly begin: (store: ObjectStore) => Promise<BatchObject>;
  /** What lets its input go while that stands still. */
  readonly removeInput: () => Promise<void>;
}

/** What the actors do, and the place at which each stands still. */
interface Story {
  readonly prepare: (service: Service) => Promise<Beginning>;
  readonly acceptAt: () => Place;
  readonly sweepAt: number;
  readonly planAt: number;
  /** Another control process sweeps while the first sweep stands still. */
  readonly anotherSweep: boolean;
}

/** Until it stands before its gate, or is done. */
const stopped = (gate: Gate, actor: Promise<unknown>): Promise<unknown> =>
  Promise.race([gate.reached, actor.catch(() => undefined)]);

/** Plays it. Says how the batch ended, and whether sweep and plan were done before they came to their gates. */
async function play(story: Story) {
  const service = new Service();
  const { world } = service;
  const { begin, removeInput } = await story.prepare(service);
  const acceptGate = gateStore(world.store, story.acceptAt());
  const accept = begin(acceptGate.store);
  await stopped(acceptGate, accept);
  await removeInput();

  const sweepGate = gateStore(world.store, story.sweepAt);
  const sweep = sweepRetention({ ...world, store: sweepGate.store });
  await stopped(sweepGate, sweep);
  acceptGate.open();
  const { id } = await accept;
  const planGate = gateStore(world.store, story.planAt);
  const planner = { ...world, store: planGate.store, tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() };
  const plan = planBatch(planner, { tenant, batchId: id });
  await stopped(planGate, plan);
  if (story.anotherSweep) await sweepRetention(world);
  sweepGate.open();
  await sweep;
  planGate.open();
  await plan;
  for (let n = 0; n < 3; n++) {
    await sweepRetention(world);
    world.clock.jump(11 * minuteMs);
  }
  service.startControl();
  service.startGenerate('worker-2');
  const end = await service.untilEnd(id);
  await world.clock.advance(30 * minuteMs);
  return {
    end,
    left: world.store.keys().filter((key) => key.startsWith(`${keys.files(tenant)}${end.input_file_id}/`)),
    isPastSweep: sweepGate.calls() <= story.sweepAt,
    isPastPlan: planGate.calls() <= story.planAt,
  };
}

const refusal = {
  code: 'invalid_request',
  param: 'file_id',
  line: null,
  message: expect.stringMatching(/was deleted or has expired|Cannot find file/) as string,
};

/** Plays every place at which the sweep and the plan can stand still, and counts how the batch ends. */
async function playAll(story: Pick<Story, 'prepare' | 'acceptAt'>, total: number) {
  const ends = { completed: 0, refused: 0 };
  const left = new Set<string>();
  for (const anotherSweep of [false, true])
    for (let sweepAt = 0, isPastSweep = false; !isPastSweep; sweepAt++)
      for (let planAt = 0, isPastPlan = false; !isPastPlan; planAt++) {
        const played = await play({ ...story, sweepAt, planAt, anotherSweep });
        ({ isPastSweep, isPastPlan } = played);
        const { end } = played;
        const where = `sweep at ${sweepAt}, plan at ${planAt}, ${anotherSweep ? 'two sweeps' : 'one sweep'}`;
        if (end.status === 'failed') expect(end.errors?.data, where).toEqual([refusal]);
        else expect(end.request_counts, where).toEqual({ total, completed: total, failed: 0 });
        ends[end.status === 'failed' ? 'refused' : 'completed']++;
        for (const key of played.left) left.add(key.split('/').at(-1) ?? '');
      }
  return { ...ends, left: [...left] };
}

const atMarker: Place = (operation, key) => operation === 'put' && key.startsWith('open/');
const places = {
  'first write': () => atMarker,
  commit: () => (operation, key) => operation === 'create' && key.endsWith('/submit.json'),
  'last write of the marker': () => {
    let seen = 0;
    return (operation, key) => atMarker(operation, key) && seen++ === 1;
  },
} satisfies Readonly<Record<string, () => Place>>;

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

async function upload(service: Service): Promise<string> {
  const description = {
    filename: 'in.jsonl',
    purpose: 'batch',
    expires_after: { anchor: 'created_at', seconds: 3600 },
  } as const;
  const content = bytesOf(lines.join('\n'));
  return (await storeFile(service.world, { tenant, content, describe: () => Promise.resolve(description) })).id;
}

const create =
  (service: Service, request: object) =>
  (store: ObjectStore): Promise<BatchObject> =>
    acceptBatch(
      { ...service.world, store },
      {
        tenant,
        request: { endpoint: '/v1/completions', completion_window: '24h', ...request } as CreateBatchRequest,
        idempotencyKey: 'key',
        retryCount: 0,
      },
    );

/** Over a file of the user, which is deleted, or expires. */
const overFile =
  (removal: 'deleted' | 'expired') =>
  async (service: Service): Promise<Beginning> => {
    const id = await upload(service);
    return {
      begin: create(service, { input_file_id: id }),
      removeInput: async () => {
        if (removal === 'deleted') await deleteFile(service.world, tenant, id);
        service.world.clock.jump(removal === 'deleted' ? 2 * minuteMs : 3 * hourMs);
      },
    };
  };

/** Over requests of the call, whose file the user finds and deletes. */
const overRequests = (service: Service): Promise<Beginning> =>
  Promise.resolve({
    begin: create(service, { requests: inlineRequests(lines.map((line) => JSON.parse(line) as object)) }),
    removeInput: async () => {
      const page = { after: null, limit: 10, order: 'desc', purpose: null } as const;
      const [file] = (await listFiles(service.world, tenant, page)).data;
      await deleteFile(service.world, tenant, file?.id ?? '');
      service.world.clock.jump(2 * minuteMs);
    },
  });

/** Over the failed line of an ended batch, so late that it counts as abandoned. */
async function overFailedLine(service: Service): Promise<Beginning> {
  service.broken = true;
  service.startControl();
  const worker = service.startGenerate();
  const parent = await service.untilEnd((await service.create(await upload(service))).id);
  await service.world.clock.advance(minuteMs);
  service.stopControls();
  service.world.queue.kill(worker);
  service.broken = false;
  const retry = { tenant, batchId: parent.id, request: { include: undefined }, idempotencyKey: null, retryCount: 0 };
  return {
    begin: (store) => retryFailed({ ...service.world, store }, retry),
    removeInput: () => {
      service.world.clock.jump(4 * hourMs);
      return Promise.resolve();
    },
  };
}

describe('an accept that stands still while its input is removed: its batch gets all of it, or none with an error', () => {
  for (const [place, acceptAt] of Object.entries(places))
    for (const removal of ['deleted', 'expired'] as const)
      test(`before its ${place}, over a file that is ${removal}`, async () => {
        const { completed, refused, left } = await playAll({ prepare: overFile(removal), acceptAt }, 3);
        expect(completed + refused).toBeGreaterThan(100);
        expect(completed).toBeGreaterThan(0);
        expect(left).toEqual(['deleted.json']);
      }, 60_000);

  test('over requests in the call', async () => {
    const { completed, refused, left } = await playAll({ prepare: overRequests, acceptAt: places.commit }, 3);
    expect(completed + refused).toBeGreaterThan(100);
    expect(left).toEqual(['deleted.json']);
  }, 60_000);

  test('over failed lines that are run again', async () => {
    const { completed, refused } = await playAll({ prepare: overFailedLine, acceptAt: places.commit }, 1);
    expect(completed + refused).toBeGreaterThan(100);
    expect(completed).toBeGreaterThan(0);
  }, 60_000);
});

test('requests whose file was deleted do not come back by a repeat of their call', async () => {
  const service = new Service();
  const { begin, removeInput } = await overRequests(service);
  const gate = gateStore(service.world.store, atMarker);
  void begin(gate.store);
  await gate.reached;
  await removeInput();
  await sweepRetention(service.world);
  await expect(begin(service.world.store)).rejects.toMatchObject({
    code: 'idempotency_key_reused',
    message: expect.stringContaining('deleted since') as string,
  });
});

test('an input that is deleted right after the create is kept for its batch, however late that is planned', async () => {
  const service = new Service();
  const id = await upload(service);
  const batch = await create(service, { input_file_id: id })(service.world.store);
  await deleteFile(service.world, tenant, id);
  for (let n = 0; n < 10; n++) {
    service.world.clock.jump(10 * minuteMs);
    await sweepRetention(service.world);
  }
  service.startControl();
  service.startGenerate();
  expect(await service.untilEnd(batch.id)).toMatchObject({ status: 'completed', request_counts: { completed: 3 } });
});
