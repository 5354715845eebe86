import { Client } from 'undici';
import { bounds } from '../../domain/bounds.js';
import type { WebhookAnswer, WebhookPost, WebhookSender } from '../../ports/webhook-sender.js';
import { parseTarget } from './egress-rules.js';
import { toWords } from './failure-words.js';
import type { Names } from './names/name-lookup.js';
import { findAllowed, fixedLookup } from './public-addresses.js';
import { parseRetryAfter } from './retry-after.js';

export interface HttpWebhookSenderOptions {
  /** For local mode: http, any port and private addresses are fine too. */
  readonly allowPrivate: boolean;
  readonly names: Names;
  /** Tells receivers who is posting, e.g. `Eyrie/0.1.0`. */
  readonly userAgent: string;
}

const headerBytesMax = 16 * 1024;
/** An address that does not answer is left for the next one after this; Node's 250 ms are too short for distant ones. */
const nextAddressMs = 1000;

/**
 * Posts webhooks under the egress rules. Each post looks the name up, has a connection of its own to the addresses that were
 * checked, and takes nothing along when it ends: neither the look-up nor the connection goes on after it.
 */
export class HttpWebhookSender implements WebhookSender {
  readonly #allowPrivate: boolean;
  readonly #names: Names;
  readonly #userAgent: string;

  constructor({ allowPrivate, names, userAgent }: HttpWebhookSenderOptions) {
    this.#allowPrivate = allowPrivate;
    this.#names = names;
    this.#userAgent = userAgent;
  }

  async post({ tenant, url, headers, body, timeoutMs }: WebhookPost): Promise<WebhookAnswer> {
    let client: Client | null = null;
    try {
      const target = parseTarget(url, this.#allowPrivate);
      const { addresses, ms } = await findAllowed(this.#names, this.#allowPrivate, tenant, target, timeoutMs);
      const leftMs = Math.max(1, Math.ceil(timeoutMs - ms));
      client = new Client(target.origin, {
        pipelining: 0,
        maxHeaderSize: headerBytesMax,
        headersTimeout: leftMs,
        bodyTimeout: leftMs,
        connect: {
          lookup: fixedLookup(addresses),
          timeout: leftMs,
          maxCachedSessions: 0,
          autoSelectFamily: true,
          autoSelectFamilyAttemptTimeout: nextAddressMs,
        },
      });
      const answer = await client.request({
        path: target.pathname + target.search,
        method: 'POST',
        headers: { 'user-agent': this.#userAgent, ...headers },
        body,
        signal: AbortSignal.timeout(leftMs),
      });
      await drain(answer.body);
      const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], Date.now());
      return { status: answer.statusCode, error: null, retryAfterMs };
    } catch (error) {
      return { status: null, error: toWords(error), retryAfterMs: null };
    } finally {
      client?.destroy().catch(() => undefined);
    }
  }
}

/** Reads an answer to its bound and drops it. The status is known already, so a body that fails or never ends changes nothing. */
async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > bounds.webhookAnswerBytesMax) break;
    }
  } catch {
    // cut off
  }
}
