import type { ManifestObject, PlanHead, SubmitObject } from '../../contract/stored-objects.js';
import { terminalEvent, type BatchEnded, type WebhookEvent } from '../../contract/webhook-event.js';
import { bounds } from '../../domain/bounds.js';
import { usageOf } from '../view-batch.js';

const errorsShownMax = 10;
const fits = (event: WebhookEvent): boolean => Buffer.byteLength(JSON.stringify(event)) < bounds.webhookBodyBytesMax;

/**
 * The event of a batch's end: a pure function of what is stored. Thin, whatever the user put into metadata and custom ids: errors
 * are left out from the last on, and metadata that is too large as a whole.
 */
export function toEndEvent(submit: SubmitObject, manifest: ManifestObject, plan: PlanHead | null): WebhookEvent {
  const errors = plan?.kind === 'verdict' ? plan.errors : manifest.reasons;
  const withParts = (shown: number, metadata: BatchEnded['metadata']): WebhookEvent => ({
    id: manifest.eventId,
    object: 'event',
    type: terminalEvent(manifest.state),
    created_at: Math.floor(manifest.finishedMs / 1000),
    data: {
      id: submit.batchId,
      status: manifest.state,
      request_counts: manifest.counts,
      usage: manifest.counts.total > 0 ? usageOf(manifest) : null,
      input_file_id: submit.inputFileId,
      output_file_id: manifest.output?.fileId ?? null,
      error_file_id: manifest.errors?.fileId ?? null,
      ...(errors.length === 0 ? {} : { errors: errors.slice(0, shown), errors_total: errors.length }),
      metadata,
      ...(submit.retryOf ? { parent_batch_id: submit.retryOf.batchId } : {}),
    },
  });
  for (const metadata of [submit.metadata, null])
    for (let shown = Math.min(errorsShownMax, errors.length); shown >= 0; shown--) {
      const event = withParts(shown, metadata);
      if (fits(event)) return event;
    }
  return withParts(0, null);
}
