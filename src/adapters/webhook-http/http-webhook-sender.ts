import { Agent, request } from 'undici';
import { bounds } from '../../domain/bounds.js';
import type { WebhookAnswer, WebhookPost, WebhookSender } from '../../ports/webhook-sender.js';
import { parseTarget } from './egress-rules.js';
import { toWords } from './failure-words.js';
import { guardedLookup, type LookupAll } from './guarded-lookup.js';
import { parseRetryAfter } from './retry-after.js';

export interface HttpWebhookSenderOptions {
  /** For local mode: http, any port and private addresses are fine too. */
  readonly allowPrivate: boolean;
  /** How names are looked up; default: as the system does. */
  readonly lookup?: LookupAll;
}

const headerBytesMax = 16 * 1024;

/** Posts webhooks under the egress rules. Each post has a connection of its own, so that each address is checked. */
export class HttpWebhookSender implements WebhookSender {
  readonly #agent: Agent;
  readonly #allowPrivate: boolean;

  constructor({ allowPrivate, lookup }: HttpWebhookSenderOptions) {
    this.#allowPrivate = allowPrivate;
    this.#agent = new Agent({
      pipelining: 0,
      maxHeaderSize: headerBytesMax,
      connect: allowPrivate ? {} : { lookup: guardedLookup(lookup) },
    });
  }

  async post({ url, headers, body, timeoutMs }: WebhookPost): Promise<WebhookAnswer> {
    try {
      const answer = await request(parseTarget(url, this.#allowPrivate), {
        method: 'POST',
        headers,
        body,
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(timeoutMs),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
      await drain(answer.body);
      const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], Date.now());
      return { status: answer.statusCode, error: null, retryAfterMs };
    } catch (error) {
      return { status: null, error: toWords(error), retryAfterMs: null };
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
