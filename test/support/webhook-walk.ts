import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';
import { listDeliveries } from '../../src/app/webhooks/list-deliveries.js';
import type { WebhookDeliveryObject } from '../../src/contract/webhook-endpoint-object.js';
import type { WebhookAnswer, WebhookPost } from '../../src/ports/webhook-sender.js';
import { completionLine, FakeService, tenant, type FakeServiceOptions } from './fake-service.js';

export const hourMs = 3600 * 1000;
export const answer = (status: number): WebhookAnswer => ({ status, error: null, retryAfterMs: null });

export function started(options: FakeServiceOptions = {}): FakeService {
  const service = new FakeService(options);
  service.startControl();
  service.startGenerate();
  return service;
}

/** Runs a batch of one line to its end and lets an hour pass. */
export async function runBatch(service: FakeService, lines = [completionLine('1', 'a')]): Promise<string> {
  const { id } = await service.submit(lines);
  await service.untilEnd(id);
  await service.settle();
  return id;
}

export const log = async (service: FakeService, endpointId: string): Promise<readonly WebhookDeliveryObject[]> =>
  (await listDeliveries(service.world.store, tenant, endpointId, { after: null, limit: 100 })).data;

/** The verifiers look at the real clock; this one shows the fake world's time. Call `vi.useRealTimers()` after the test. */
export async function verifyAt(post: WebhookPost, secret: string): Promise<string> {
  vi.useFakeTimers({ toFake: ['Date'], now: Number(post.headers['webhook-timestamp']) * 1000 });
  new Webhook(secret).verify(post.body, { ...post.headers });
  const event = await new OpenAI({ apiKey: 'x' }).webhooks.unwrap(post.body, { ...post.headers }, secret);
  return event.type;
}
