import { createHmac } from 'node:crypto';

const secretPrefix = 'whsec_';

/** A signing secret as users keep it. */
export const toWebhookSecret = (bytes: Uint8Array): string => secretPrefix + Buffer.from(bytes).toString('base64');

/**
 * Headers of a Standard Webhooks delivery: HMAC-SHA-256 over `id.timestamp.body`, one `v1,` signature per secret. Secrets are
 * `whsec_` and base64. `timestamp` is in seconds and new on every attempt, the id stays.
 */
export function webhookHeaders(
  id: string,
  timestamp: number,
  body: string,
  secrets: readonly string[],
): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(secret.startsWith(secretPrefix) ? secretPrefix.length : 0), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
