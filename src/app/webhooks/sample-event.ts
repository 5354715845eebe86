import type { WebhookEvent, WebhookEventType } from '../../contract/webhook-event.js';

const batchId = 'batch_00000000000000000000000000';

const statusOf = {
  'batch.completed': 'completed',
  'batch.failed': 'failed',
  'batch.expired': 'expired',
  'batch.cancelled': 'cancelled',
} as const;

/** An event as receivers will see it, about a batch that does not exist. `data.test` tells it apart. */
export function sampleEvent(id: string, type: WebhookEventType, nowMs: number): WebhookEvent {
  const envelope = { id, object: 'event', created_at: Math.floor(nowMs / 1000) } as const;
  const counts = { total: 2, completed: 2, failed: 0 };
  switch (type) {
    case 'batch.progress':
      return {
        ...envelope,
        type,
        data: { id: batchId, status: 'in_progress', request_counts: { ...counts, completed: 1 }, test: true },
      };
    case 'batch.at_risk': {
      const at = envelope.created_at;
      return {
        ...envelope,
        type,
        data: {
          id: batchId,
          estimated_completion_at: at + 7200,
          deadline: at + 3600,
          expires_at: at + 86_400,
          test: true,
        },
      };
    }
    case 'inbox.rejected':
      return {
        ...envelope,
        type,
        data: {
          id: 'drop_00000000000000000000000000',
          key: 'inbox/sample/sample.txt',
          etag: '"sample"',
          bytes: 0,
          code: 'unsupported_value',
          message: 'Only files whose name ends in .jsonl become batches.',
          rejected_key: 'outbox/sample/sample.drop_00000000000000000000000000/rejected.json',
          test: true,
        },
      };
    default:
      return {
        ...envelope,
        type,
        data: {
          id: batchId,
          status: statusOf[type],
          request_counts: counts,
          usage: null,
          input_file_id: 'file-00000000000000000000000000',
          output_file_id: null,
          error_file_id: null,
          metadata: null,
          test: true,
        },
      };
  }
}
