import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bounds } from '../../../../src/domain/bounds.js';
import { InlineBodyReader, type InlineBody } from '../../../../src/domain/inline/inline-body.js';

function read(body: string | Uint8Array, stepBytes = Infinity): InlineBody {
  const reader = new InlineBodyReader(Uint8Array.from(Buffer.from(body as string)));
  for (;;) {
    const done = reader.step(stepBytes);
    if (done) return done;
  }
}

const linesOf = (body: string, endpoint?: '/v1/completions', stepBytes?: number): string[] =>
  read(body, stepBytes).lists.flatMap((list) =>
    Buffer.from(list.content(endpoint)).toString().split('\n').slice(0, -1),
  );

const restOf = (body: string): unknown => JSON.parse(Buffer.from(read(body).rest).toString());

/** What a request becomes as a line of a file, by way of a parser. */
function expectedLine(request: unknown, endpoint?: string): unknown {
  if (typeof request !== 'object' || request === null) return request;
  const { body, method, url } = request as Record<string, unknown>;
  if (typeof body !== 'object' || body === null) return request;
  const holds = 'messages' in body ? '/v1/chat/completions' : '/v1/completions';
  return { ...request, method: method ?? 'POST', url: url ?? endpoint ?? holds };
}

/** JSON with white space between its tokens, and with names and texts written in escapes. */
function format(value: unknown, white: () => string, escape: () => boolean): string {
  const text = (plain: string): string => {
    const json = JSON.stringify(plain);
    if (!escape()) return json;
    return `"${Array.from(plain, (_, at) => `\\u${plain.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .slice(0, plain.length)
      .join('')}"`;
  };
  const write = (part: unknown): string => {
    if (typeof part === 'string' && part.length === Array.from(part).length) return text(part);
    if (typeof part !== 'object' || part === null) return JSON.stringify(part);
    const pieces = Array.isArray(part)
      ? part.map((item) => white() + write(item) + white())
      : Object.entries(part).map(
          ([name, item]) => `${white()}${write(name)}${white()}:${white()}${write(item)}${white()}`,
        );
    const inner = pieces.length > 0 ? pieces.join(',') : white();
    return Array.isArray(part) ? `[${inner}]` : `{${inner}}`;
  };
  return white() + write(value) + white();
}

const name = fc.constantFrom(
  'method',
  'url',
  'body',
  'messages',
  'requests',
  'eyrie',
  'custom_id',
  'a',
  '',
  '__proto__',
);
const json = fc.jsonValue({ maxDepth: 3 });
const request = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.dictionary(name, fc.oneof(fc.dictionary(name, json, { maxKeys: 3 }), json), { maxKeys: 5 }),
  },
  { weight: 1, arbitrary: json },
);
const requests = fc.array(request, { maxLength: 5 });
const body = fc.record(
  { requests, eyrie: fc.oneof(fc.record({ requests, priority: json }, { requiredKeys: [] }), json), other: json },
  { requiredKeys: [] },
);
const formatted = fc
  .tuple(
    body,
    fc.array(fc.constantFrom('', '', ' ', '\n', '\r\n\t'), { minLength: 7, maxLength: 7 }),
    fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  )
  .map(([value, whites, escapes]) => {
    let at = 0;
    return {
      value,
      text: format(
        value,
        () => whites[at++ % 7] ?? '',
        () => escapes[at++ % 5] ?? false,
      ),
    };
  });
const stepBytes = fc.constantFrom(1, 2, 7, 64, Infinity);

describe('a body is taken apart as a parser would', () => {
  test('requests, wherever they stand and however they are written', () => {
    fc.assert(
      fc.property(formatted, stepBytes, ({ text }, bytes) => {
        const parsed = JSON.parse(text) as { requests?: unknown[]; eyrie?: { requests?: unknown[] } };
        const { lists } = read(text, bytes);
        const rest = restOf(text) as typeof parsed;
        for (const [list, place] of [
          [parsed.requests, rest.requests],
          [parsed.eyrie?.requests, rest.eyrie?.requests],
        ] as const) {
          if (!Array.isArray(list)) continue;
          const found = lists[Number(place?.[0])];
          expect(found?.count).toBe(list.length);
          const lines = Buffer.from(found?.content(undefined) ?? [])
            .toString()
            .split('\n')
            .slice(0, -1);
          expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(list.map((item) => expectedLine(item)));
          const wrong = list.findIndex((item) => typeof item !== 'object' || item === null || Array.isArray(item));
          expect(found?.wrong?.index ?? -1).toBe(wrong);
        }
        expect({ ...rest, requests: 0, eyrie: 0 }).toEqual({ ...parsed, requests: 0, eyrie: 0 });
      }),
      { numRuns: 400 },
    );
  });

  test('what is no JSON is refused, and nothing else is', () => {
    const noise = fc.constantFrom(
      ...Array.from('[]{},:"\\ \n0123.eE+-tfn\u0001é'),
      'null',
      'true',
      '\\u00',
      '\\x',
      '-',
      '1e',
      '01',
      '.5',
      '\ufeff',
    );
    const damaged = fc
      .tuple(formatted, fc.nat(), fc.nat(3), noise)
      .map(
        ([{ text }, at, dropped, put]) =>
          text.slice(0, at % text.length) + put + text.slice((at % text.length) + dropped),
      );
    const isJson = (text: string): boolean => {
      try {
        JSON.parse(text.replace(/^\ufeff/, ''));
        return true;
      } catch {
        return false;
      }
    };
    const isRead = (text: string, bytes: number): boolean => {
      try {
        JSON.parse(
          Buffer.from(read(text, bytes).rest)
            .toString()
            .replace(/^\ufeff/, ''),
        );
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(damaged, stepBytes, (text, bytes) => {
        expect(isRead(text, bytes), text).toBe(isJson(text));
      }),
      { numRuns: 1500 },
    );
  });
});

test.each([
  ['{"requests":[{"body":{}}],"requests":7}', 7],
  ['{"requests":7,"requests":[{"body":{}}]}', [0]],
  ['{"requests":[1],"requests":[2]}', [1]],
  [String.raw`{"re\u0071uests":[{}]}`, [0]],
  ['{"a":{"requests":[1]}}', undefined],
  ['{"requests":{"requests":[1]}}', { requests: [1] }],
])('of several members with one name the last counts: %s', (text, expected) => {
  expect((restOf(text) as { requests?: unknown }).requests).toEqual(expected);
});

test.each([
  [
    '{"requests":[ {"custom_id" : "a", "body" : {"prompt": "x  y"} } ]}',
    '{"custom_id":"a","body":{"prompt":"x  y"},"method":"POST","url":"/v1/completions"}',
  ],
  ['{"requests":[{"method":"GET","url":"/x","body":{}}]}', '{"method":"GET","url":"/x","body":{}}'],
  [
    '{"requests":[{"body":{"messages":[]},"body":{}}]}',
    '{"body":{"messages":[]},"body":{},"method":"POST","url":"/v1/completions"}',
  ],
  ['{"requests":[{"recordId":"a","modelInput":{}}]}', '{"recordId":"a","modelInput":{}}'],
  ['{"requests":[{"n":1.0e2,"s":"\\u00e9"}]}', '{"n":1.0e2,"s":"\\u00e9"}'],
])('a line says what its request says: %s', (text, line) => {
  expect(linesOf(text)).toEqual([line]);
});

test('what stands beside the requests is bounded, however large they are', () => {
  const large = `"requests":[{"body":{"prompt":"${'x'.repeat(3_000_000)}"}}]`;
  expect(linesOf(`{${large}}`)).toHaveLength(1);
  expect(() => read(`{${large},"a":"${'x'.repeat(bounds.jsonBodyBytesMax)}"}`, 1000)).toThrow('beside the requests');
  expect(() => read(`{"a":"${'x'.repeat(2 * bounds.jsonBodyBytesMax)}"}`, 1000)).toThrow('too large');
});

test('depth counts from the body, in requests too', () => {
  const nested = (levels: number) => `{"requests":[${'['.repeat(levels)}${']'.repeat(levels)}]}`;
  expect(read(nested(bounds.jsonDepthMax - 2)).lists[0]?.count).toBe(1);
  expect(() => read(nested(bounds.jsonDepthMax - 1))).toThrow('deeper than 64 levels');
});

test('calls with the same requests are the same, whatever white space is in them', () => {
  const digest = (text: string) => JSON.stringify(read(text).lists);
  expect(digest('{"requests":[{"a":1},{}]}')).toBe(digest('{ "requests" : [ {"a" : 1}, { } ] }'));
  expect(digest('{"requests":[{"a":1},{}]}')).not.toBe(digest('{"requests":[{"a":2},{}]}'));
});
