import type { ManifestObject, SubmitObject } from '../contract/stored-objects.js';
import { isDeleted } from './batch-records.js';
import { keys } from '../domain/object-keys.js';
import { findFile } from './files/find-file.js';
import { openFileContent } from './files/open-file-content.js';
import { putJson } from './stored-json.js';
import { findPlanHead } from './stored-plan.js';
import type { World } from './world.js';

/**
 * Puts a bucket drop's results beside it, in the outbox. manifest.json is written last: who sees it sees whole files. Copying
 * again writes the same bytes; files that were deleted or have expired meanwhile are left out. Throws `content_damaged` when a
 * result is not what was written; nothing of it is seen in the outbox then.
 */
export async function copyToOutbox(world: World, submit: SubmitObject, manifest: ManifestObject): Promise<void> {
  const { tenant, batchId, outboxName } = submit;
  if (outboxName === null || (await isDeleted(world.store, tenant, batchId))) return;
  const copies = [
    [manifest.output, 'output.jsonl'],
    [manifest.errors, 'errors.jsonl'],
  ] as const;
  for (const [file, name] of copies) {
    const stored = file && (await findFile(world, tenant, file.fileId));
    if (!stored) continue;
    const content = await openFileContent(world, stored, null);
    await world.store.putStream(keys.outbox(tenant, outboxName, batchId, name), content);
  }
  const plan = await findPlanHead(world, tenant, batchId);
  await putJson(world.store, keys.outbox(tenant, outboxName, batchId, 'manifest.json'), {
    batch_id: batchId,
    status: manifest.state,
    source: submit.input && { key: submit.input.key, etag: submit.input.etag },
    request_counts: manifest.counts,
    output: manifest.output && {
      bytes: manifest.output.bytes,
      lines: manifest.output.lines,
      sha256: manifest.output.sha256,
    },
    errors: manifest.errors && {
      bytes: manifest.errors.bytes,
      lines: manifest.errors.lines,
      sha256: manifest.errors.sha256,
    },
    validation_errors: plan?.kind === 'verdict' ? plan.errors : [],
    finish_errors: manifest.reasons,
  });
}
