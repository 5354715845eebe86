import type { StoredFile, SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import { storedFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { commitFile } from '../files/commit-file.js';
import { putContent } from '../files/content-digest.js';
import { readShard } from '../read-shard.js';
import { putOnAgenda } from '../retention/agenda.js';
import { getJson, putJson } from '../stored-json.js';
import type { World } from '../world.js';

const lineFeed = Buffer.from('\n');

/** The bytes of the chosen lines as they stand in the parent's input; `taken` learns which there were. */
async function* chosenLines(
  { store }: World,
  parent: SubmitObject,
  plan: WorkPlan,
  chosen: ReadonlySet<number>,
  taken: number[],
): AsyncGenerator<Uint8Array> {
  for (const shard of plan.shards) {
    const here = Array.from({ length: shard.count }, (_, at) => shard.firstLine + at).filter((line) =>
      chosen.has(line),
    );
    if (here.length === 0) continue;
    const lines = await readShard(store, parent, shard);
    for (const line of here) {
      const bytes = lines[line - shard.firstLine];
      // A line over the size limit was never kept.
      if (!bytes) continue;
      taken.push(line);
      yield Buffer.concat([bytes, lineFeed]);
    }
  }
}

/**
 * Writes the chosen lines as the input file of a child batch, and beside the batch which lines of the parent they are. The file is
 * under a new id and seen only once a batch names it, so two calls at once do not disturb one another. null: no line was left.
 * Throws `input_changed` when the parent's input is gone.
 */
export async function storeRetryInput(
  world: World,
  parent: SubmitObject,
  plan: WorkPlan,
  childId: string,
  chosen: ReadonlySet<number>,
): Promise<StoredFile | null> {
  const { store, clock } = world;
  const { tenant } = parent;
  const fileId = world.ids.next('file');
  await putOnAgenda(store, clock.now() + bounds.uploadLeftoverMs, tenant, fileId);
  const taken: number[] = [];
  let content;
  try {
    content = await putContent(
      store,
      keys.fileContent(tenant, fileId),
      chosenLines(world, parent, plan, chosen, taken),
    );
  } catch (cause) {
    if (errorCode(cause) !== 'input_changed') throw cause;
    throw new EyrieError(
      'input_changed',
      `The input of batch '${parent.batchId}' was deleted, has expired or was changed, so its lines cannot be run again. Submit them as a new batch.`,
      { param: 'batch_id', cause },
    );
  }
  if (taken.length === 0) return null;
  const description = {
    filename: `${parent.batchId}_retry.jsonl`,
    purpose: 'batch' as const,
    expires_after: undefined,
  };
  await commitFile(world, tenant, fileId, { ...description, batchId: childId }, content, clock.now());
  // Behind the file: should no batch come of it, the two are found and removed together.
  await putJson(store, keys.retryLines(tenant, childId, fileId), { v: 1, lines: taken });
  return getJson(store, keys.file(tenant, fileId), storedFile);
}
