import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodePart } from '../../src/app/part.js';
import type { SubmitObject, WorkPlan } from '../../src/contract/stored-objects.js';
import { derivedId } from '../../src/domain/ids.js';
import { keys } from '../../src/domain/object-keys.js';
import { sweepModel, sweepTenant } from './sweep-world.js';

const linesPerShard = 4;
const windowMs = 24 * 3600 * 1000;

export interface MadeBatch {
  readonly tenant: string;
  readonly batchId: string;
  readonly plan: WorkPlan;
}

/** Objects of a folder store are plain files: written as such, they need no fsync each. */
async function putFile(folder: string, key: string, content: string | Uint8Array): Promise<void> {
  const file = path.join(folder, key);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
}

function planOf(shards: number): WorkPlan {
  return {
    v: 1,
    kind: 'work',
    plannedMs: Date.now(),
    endpoint: '/v1/completions',
    model: sweepModel,
    lines: shards * linesPerShard,
    tokens: shards * linesPerShard * 100,
    promptTokens: null,
    outputTokensMost: null,
    order: { start: 0, stride: 16 },
    shards: Array.from({ length: shards }, (_, n) => ({
      n,
      byteStart: n * 1000,
      byteEnd: (n + 1) * 1000,
      firstLine: n * linesPerShard,
      count: linesPerShard,
      tokens: linesPerShard * 100,
      sha256: '0'.repeat(64),
      noRequests: [],
      rejected: [],
    })),
  };
}

const submitOf = (batchId: string): SubmitObject => ({
  v: 1,
  batchId,
  tenant: sweepTenant,
  source: 'api',
  createdMs: Date.now(),
  expiresMs: Date.now() + windowMs,
  input: { key: keys.fileContent(sweepTenant, 'file-bench'), etag: '"bench"', bytes: 0, sha256: '' },
  inputFileId: 'file-bench',
  endpoint: '/v1/completions',
  validation: 'strict',
  completionWindow: '24h',
  priority: 0,
  deadlineMs: null,
  price: null,
  metadata: null,
  outputExpiresSeconds: null,
  webhooks: [],
  outboxName: null,
  requestHash: '',
});

/** A batch that is planned and open, as accept and plan leave it. */
export async function makeBatch(folder: string, number: number, shards: number): Promise<MadeBatch> {
  const batchId = derivedId('batch', 'bench', String(number));
  const plan = planOf(shards);
  await putFile(folder, keys.submit(sweepTenant, batchId), JSON.stringify(submitOf(batchId)));
  await putFile(folder, keys.plan(sweepTenant, batchId), JSON.stringify(plan));
  await putFile(folder, keys.openBatch(sweepTenant, batchId), '');
  return { tenant: sweepTenant, batchId, plan };
}

/** The part of every shard, so that the batch can be finished. */
export async function makeParts(folder: string, { tenant, batchId, plan }: MadeBatch): Promise<void> {
  const noShapes = { useful_tokens: 0, padded_prefill_tokens: 0, idle_slot_steps: 0, overrun_tokens: 0 };
  for (const { n, count } of plan.shards) {
    const { bytes } = encodePart(
      { shard: n, verdict: null, shapes: noShapes, worker: 'bench', startedMs: 1, finishedMs: 2 },
      Array.from({ length: count }, (_, at) => ({
        ok: true,
        json: JSON.stringify({
          custom_id: `line-${n * count + at}`,
          response: { status_code: 200, body: 'x'.repeat(200) },
        }),
        inputTokens: 10,
        outputTokens: 10,
      })),
    );
    await putFile(folder, keys.part(tenant, batchId, n), bytes);
  }
}
