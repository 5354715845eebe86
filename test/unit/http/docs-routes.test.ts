import type { FastifyReply } from 'fastify';
import { expect, test } from 'vitest';
import type { ApiCall } from '../../../src/http/api-route.js';
import { docsRoutes } from '../../../src/http/routes/docs.js';

test('all answers share the bytes of the document and of the page', () => {
  for (const route of docsRoutes([], '1')) {
    const sent: unknown[] = [];
    const ask = (): boolean => {
      const reply = {
        isKept: false,
        type: () => reply,
        headers: () => reply,
        send: (bytes: unknown) => {
          sent.push(bytes);
          return reply;
        },
      };
      route.handle({ reply: reply as unknown as FastifyReply } as ApiCall<unknown, unknown, unknown>);
      return reply.isKept;
    };
    expect([ask(), ask()]).toEqual([true, true]);
    expect(Buffer.isBuffer(sent[0])).toBe(true);
    expect(sent[1]).toBe(sent[0]);
  }
});
