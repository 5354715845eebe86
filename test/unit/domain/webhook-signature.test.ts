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

  const key = secret();
  const other = secret();
  const signed = (atSeconds: number, keys: readonly string[] = [key]) => webhookHeaders('evt_1', atSeconds, body, keys);
  const without = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(signed(now())).filter(([header]) => header !== name));
  const signature = (headers: Readonly<Record<string, string>>): string => headers['webhook-signature'] ?? '';

  test.each<[string, Record<string, string>, string, boolean]>([
    ['a fresh one', signed(now()), body, true],
    ['a changed body', signed(now()), body.replace('batch_1', 'batch_2'), false],
    ['the id of another event', { ...signed(now()), 'webhook-id': 'evt_2' }, body, false],
    ['one of an hour ago', signed(now() - 3600), body, false],
    ['one of an hour ahead', signed(now() + 3600), body, false],
    ['none', without('webhook-signature'), body, false],
    [
      'one of another version',
      { ...signed(now()), 'webhook-signature': signature(signed(now())).replace('v1,', 'v1a,') },
      body,
      false,
    ],
    ['the new secret first, while it replaces this one', signed(now(), [other, key]), body, true],
    ['the other secret alone', signed(now(), [other]), body, false],
  ])('the OpenAI client, given %s', async (_, headers, text, good) => {
    const unwrapped = new OpenAI({ apiKey: 'x' }).webhooks.unwrap(text, headers, key);
    if (good) expect(await unwrapped).toMatchObject({ id: 'evt_1' });
    else await expect(unwrapped).rejects.toThrow();
  });
});
