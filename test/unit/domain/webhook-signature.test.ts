import { randomBytes } from 'node:crypto';
import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { webhookHeaders } from '../../../src/domain/webhook-signature.js';

const secret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const body = JSON.stringify({
  id: 'evt_1',
  object: 'event',
  type: 'batch.completed',
  created_at: 1,
  data: { id: 'batch_1' },
});
const now = (): number => Math.floor(Date.now() / 1000);

describe('webhook signatures', () => {
  test('are accepted by the Standard Webhooks library and by the OpenAI client', async () => {
    const key = secret();
    const headers = webhookHeaders('evt_1', now(), body, [key]);
    expect(new Webhook(key).verify(body, headers)).toMatchObject({ id: 'evt_1' });
    const event = await new OpenAI({ apiKey: 'x' }).webhooks.unwrap(body, headers, key);
    expect(event).toMatchObject({ type: 'batch.completed', data: { id: 'batch_1' } });
  });

  test('both secrets verify while one replaces the other', () => {
    const [old, fresh] = [secret(), secret()];
    const headers = webhookHeaders('evt_1', now(), body, [old, fresh]);
    for (const key of [old, fresh]) expect(new Webhook(key).verify(body, headers)).toMatchObject({ id: 'evt_1' });
  });

  test('a changed body, id or a foreign secret is refused', () => {
    const key = secret();
    const headers = webhookHeaders('evt_1', now(), body, [key]);
    expect(() => new Webhook(key).verify(`${body} `, headers)).toThrow(/signature/i);
    expect(() => new Webhook(key).verify(body, { ...headers, 'webhook-id': 'evt_2' })).toThrow(/signature/i);
    expect(() => new Webhook(secret()).verify(body, headers)).toThrow(/signature/i);
  });
});
