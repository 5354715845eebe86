import { createServer, type IncomingHttpHeaders } from 'node:http';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NewWebhookEndpointObject, WebhookDeliveryObject } from '../../../src/contract/webhook-endpoint-object.js';
import { eventually } from '../../support/eventually.js';
import { LocalMode } from '../../support/local-mode.js';
import { requestLines } from '../../support/request-lines.js';
import { makeTempFolder } from '../../support/temp-folder.js';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let folder: string;
const received: Received[] = [];
let answerStatus = 204;
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(answerStatus).end();
  });
});

beforeEach(async () => {
  folder = await makeTempFolder();
  received.length = 0;
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve);
  });
});
afterEach(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await rm(folder, { recursive: true, force: true });
});

const arrived = (count: number): Promise<unknown> =>
  eventually(`event ${count}`, () => received.length === count, 60_000);

/** Both verifiers that users have, at the real time. */
async function verify({ headers, body }: Received, secret: string): Promise<{ id: string; type: string }> {
  new Webhook(secret).verify(body, headers as Record<string, string>);
  return new OpenAI({ apiKey: 'x' }).webhooks.unwrap(body, headers as Record<string, string>, secret);
}

async function runBatch(client: OpenAI, model: string): Promise<string> {
  const input = await client.files.create({
    file: new File([requestLines(2, model, 4)], 'in.jsonl'),
    purpose: 'batch',
  });
  const { id } = await client.batches.create({
    input_file_id: input.id,
    endpoint: '/v1/completions',
    completion_window: '24h',
  });
  return id;
}

test('an endpoint made through the API gets what its secret verifies, also after a rotation and a restart', async () => {
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const data = path.join(folder, 'data');
  let service = await LocalMode.start(data);
  try {
    let client = service.client();
    const made = await client.post<NewWebhookEndpointObject>('/webhook_endpoints', { body: { url } });
    const at = `/webhook_endpoints/${made.id}`;

    const tried = await client.post<WebhookDeliveryObject>(`${at}/test`);
    expect(tried).toMatchObject({ state: 'delivered', status: 204, error: null, test: true });
    expect(await verify(received[0] as Received, made.secret)).toMatchObject({ id: tried.id, type: 'batch.completed' });

    const rotated = await client.post<NewWebhookEndpointObject>(`${at}/rotate_secret`);
    const batchId = await runBatch(client, service.modelId);
    await arrived(2);
    for (const { secret } of [made, rotated])
      expect(await verify(received[1] as Received, secret)).toMatchObject({ data: { id: batchId } });

    expect(await service.stop()).toBe(0);
    service = await LocalMode.start(data);
    client = service.client();
    const eventId = String(received[1]?.headers['webhook-id']);
    answerStatus = 500;
    await client.post(`${at}/deliveries/${eventId}/replay`);
    await arrived(3);
    answerStatus = 204;
    // The schedule goes on: the next attempt is five seconds later.
    await arrived(4);
    expect(await verify(received[3] as Received, rotated.secret)).toMatchObject({ id: eventId, data: { id: batchId } });
    expect(received[3]?.body).toBe(received[1]?.body);
    await eventually('the log', async () => {
      const log = await client.get<{ data: WebhookDeliveryObject[] }>(`${at}/deliveries`);
      const [delivery] = log.data;
      return delivery?.id === eventId && delivery.state === 'delivered' && delivery.attempts.length === 3;
    });

    answerStatus = 410;
    await client.post(`${at}/test`);
    expect(await client.get(at)).toMatchObject({ enabled: false, disabled_reason: 'gone' });
  } finally {
    answerStatus = 204;
    await service.stop();
  }
}, 180_000);
