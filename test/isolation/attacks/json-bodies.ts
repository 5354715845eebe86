import type { Attack } from './attack.js';

const mb = 1000 * 1000;

/** `item` again and again, to about `bytes`. */
const repeated = (item: string, bytes: number): string =>
  Array.from({ length: Math.floor(bytes / (item.length + 1)) }, () => item).join(',');

const members = (count: number, member: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => member(at)).join(',');

interface Row {
  readonly path: string;
  readonly body: string;
}

/** Bodies whose every element is wrong, or looked at. */
function wrongElements(model: string): Row[] {
  const chat = (rest: string): Row => ({ path: '/v1/chat/completions', body: `{"model":"${model}",${rest}}` });
  const completion = (rest: string): Row => ({ path: '/v1/completions', body: `{"model":"${model}",${rest}}` });
  return [
    chat(`"messages":[${repeated('{}', 0.9 * mb)}]`),
    chat(`"messages":[${repeated('1', 0.9 * mb)}]`),
    completion(`"prompt":[${repeated('"",1', 0.9 * mb)}]`),
    completion(`"prompt":[${repeated('[]', 0.9 * mb)}]`),
    { path: '/detokenize', body: `{"tokens":[${repeated('-1', 0.9 * mb)}]}` },
    completion(`"prompt":"a","logit_bias":{${members(90_000, (at) => `"x${at}":1`)}}`),
    { path: '/v1/batches', body: `{"metadata":{${members(1_000_000, (at) => `"k${at}":"v"`)}}}` },
  ];
}

/** The same with other fields, and with values that are right each by itself. */
function otherElements(model: string): Row[] {
  const chat = (rest: string): Row => ({
    path: '/v1/chat/completions',
    body: `{"model":"${model}","messages":[{"role":"user","content":"a"}],${rest}}`,
  });
  const completion = (rest: string): Row => ({ path: '/v1/completions', body: `{"model":"${model}",${rest}}` });
  const messages = (content: string): Row => ({
    path: '/v1/chat/completions',
    body: `{"model":"${model}","messages":[{"role":"user","content":${content}}]}`,
  });
  return [
    messages(`[${repeated('{}', 0.9 * mb)}]`),
    messages(`[${repeated('{"type":"text","text":""}', 0.9 * mb)}]`),
    chat(`"tools":[${repeated('0', 0.9 * mb)}]`),
    chat(members(80_000, (at) => `"u${at}":1`)),
    chat(`"stop":[${repeated('""', 0.9 * mb)}]`),
    chat(`"modalities":[${repeated('0', 0.9 * mb)}]`),
    chat(
      `"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{${members(70_000, (at) => `"k${at}":0`)}}}}`,
    ),
    chat(`"guided_choice":[${repeated('""', 0.9 * mb)}]`),
    chat(`"metadata":${'['.repeat(450_000)}${']'.repeat(450_000)}`),
    chat(`"stream_options":{${members(80_000, (at) => `"u${at}":1`)}}`),
    completion(`"prompt":[${repeated('17', 0.9 * mb)}]`),
    completion(`"prompt":[${repeated('[1]', 0.9 * mb)}]`),
    completion(`"prompt":[${repeated('"a"', 0.9 * mb)}]`),
    completion(`"prompt":"${'a'.repeat(0.9 * mb)}"`),
    completion(`"prompt":"a","logit_bias":{${members(60_000, (at) => `"${at}":1`)}}`),
    { path: '/v1/batches', body: `{"eyrie":{"requests":[${repeated('{}', 14 * mb)}]}}` },
    { path: '/v1/batches', body: `{"requests":[${repeated('0', 14 * mb)}]}` },
    { path: '/v1/batches', body: `{"input_file_id":"file-1",${members(800_000, (at) => `"u${at}":1`)}}` },
    { path: '/v1/webhook_endpoints', body: `{"url":"http://127.0.0.1/","events":[${repeated('""', 0.9 * mb)}]}` },
    { path: '/v1/uploads', body: `{${members(80_000, (at) => `"u${at}":1`)}}` },
    { path: '/v1/reports', body: `{"comment":"${'\\u0001'.repeat(150_000)}"}` },
    { path: '/tokenize', body: `{"prompt":"${'a'.repeat(0.9 * mb)}"}` },
    { path: '/tokenize', body: `{"prompt":"${' \\n'.repeat(300_000)}"}` },
  ];
}

const inLoop = (name: string, rows: (model: string) => Row[]): Attack => ({
  name,
  prepare: (attacker, signal) => {
    const bodies = rows(attacker.target.model).map(({ path, body }) => ({ path, body: Buffer.from(body) }));
    return Promise.resolve(() =>
      attacker.lanes(4, signal, async (lane, round) => {
        const row = bodies[(lane * 2 + round) % bodies.length];
        if (row) await attacker.call('POST', row.path, row.body, { signal });
      }),
    );
  },
});

export const jsonAttacks: readonly Attack[] = [
  inLoop('JSON bodies of wrong elements', wrongElements),
  inLoop('JSON bodies of many elements, other fields', otherElements),
];
