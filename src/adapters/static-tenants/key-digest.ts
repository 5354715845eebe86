import { createHmac } from 'node:crypto';

/** How an API key is kept: HMAC-SHA-256 under the pepper, in hex. The key has full entropy, so no slow hash is needed. */
export const keyDigest = (pepper: string, apiKey: string): string =>
  createHmac('sha256', pepper).update(apiKey).digest('hex');
