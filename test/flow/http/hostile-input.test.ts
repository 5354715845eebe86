import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyB, tenantA, tenantB } from './fake-world.js';
import { listening, type Listening } from './listening.js';
import { RawSocket } from './raw-socket.js';

/** Whatever arrives: an answer below 500 in the known shape, and no key of the store outside the caller's own. */
const secret = 'tenant-b-secret-content';

/** A server where tenant B has a file; the calls of these tests are all tenant A's. */
async function withSecret(): Promise<{ server: Listening; fileId: string; batchId: string }> {
  const server = await listening({ requestsPerMinute: null });
  const headers = { authorization: `Bearer ${keyB}` };
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob([secret]), 'secret.jsonl');
  const file = (await (await server.call('/v1/files', { method: 'POST', body: form, headers })).json()) as {
    id: string;
  };
  const body = JSON.stringify({ input_file_id: file.id, endpoint: '/v1/completions', completion_window: '24h' });
  const json = { ...headers, 'content-type': 'application/json' };
  const batch = (await (await server.call('/v1/batches', { method: 'POST', body, headers: json })).json()) as {
    id: string;
  };
  server.world.store.calls.length = 0;
  return { server, fileId: file.id, batchId: batch.id };
}

const ownKey = new RegExp(`^(t|open|uploads|notify|agenda)/${tenantA}/|^open/$`);

async function expectHarmless(server: Listening, response: Response): Promise<void> {
  const text = await response.text();
  expect(response.status, text).toBeLessThan(500);
  if (response.status >= 400)
    expect(JSON.parse(text)).toEqual({
      error: {
        message: expect.any(String),
        type: expect.any(String),
        param: expect.toSatisfy((param) => param === null || typeof param === 'string'),
        code: expect.any(String),
      },
    });
  expect(text).not.toContain(secret);
  const foreign = server.world.store.calls.filter(({ key }) => !ownKey.test(key) || key.includes(tenantB));
  expect(foreign).toEqual([]);
  server.world.store.calls.length = 0;
}

/** The inputs must not all be refused at the door. */
function expectSomeAccepted({ world }: Listening): void {
  const accepted = world.log.of('http.request').filter(({ fields }) => fields['status'] === 200);
  expect(accepted.length).toBeGreaterThan(20);
}

const runs = { numRuns: 2500 };

test('ids and paths', { timeout: 120_000 }, async () => {
  const { server, fileId, batchId } = await withSecret();
  const piece = fc.oneof(
    fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      '%2e%2e',
      '%2f',
      '%5c',
      '%00',
      '%0d%0a',
      '%',
      '%zz',
      '\u202e',
      `../${tenantB}`,
      fileId,
      batchId,
      `t/${tenantB}/files/${fileId}/content`,
      'file-',
      'batch_',
      'upload_',
      'content',
      'results',
      'cancel',
    ),
    fc.string({ unit: 'grapheme', maxLength: 12 }).map(encodeURIComponent),
    fc.string({ maxLength: 300 }).map((text) => encodeURIComponent(text)),
  );
  const path = fc.tuple(
    fc.constantFrom(
      '/v1/files/',
      '/v1/batches/',
      '/v1/uploads/',
      '/v1/models/',
      '/v1/files?after=',
      '/v1/batches?after=',
      '/v1/reports/',
      '/v1/reports?after=',
      '/v1/webhook_endpoints/',
      '/v1/webhook_endpoints?after=',
      '/v1/',
    ),
    fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('')),
    fc.constantFrom(
      '',
      '/content',
      '/cancel',
      '/results',
      '/results?after=x',
      '/results?merge=true',
      '/retry_failed',
      '/parts',
      '/complete',
    ),
  );
  await fc.assert(
    fc.asyncProperty(path, fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD'), async ([root, id, rest], method) => {
      const response = await server.call(encodeURI(decodeSafely(root + id + rest)), { method });
      if (method === 'HEAD') await response.arrayBuffer();
      else await expectHarmless(server, response);
    }),
    runs,
  );
});

/** As it stands: what is encoded stays so, and only what no URL may hold is encoded. */
const decodeSafely = (path: string): string => path.replaceAll('%25', '%');

test('JSON bodies', { timeout: 120_000 }, async () => {
  const { server, fileId } = await withSecret();
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.constantFrom('__proto__', 'constructor', fileId, `../${tenantB}`, '\0', '\ud800', 1e308, -0),
  );
  const often = (usual: unknown) => fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, value);
  const request = fc.record(
    {
      input_file_id: often(fileId),
      endpoint: often('/v1/completions'),
      completion_window: often('24h'),
      metadata: fc.oneof(fc.dictionary(fc.string(), fc.string()), often(null)),
      output_expires_after: often(null),
      eyrie: often(null),
    },
    { requiredKeys: ['input_file_id', 'endpoint', 'completion_window'] },
  );
  const upload = fc.record(
    {
      bytes: often(5),
      filename: often('a'),
      purpose: often('batch'),
      mime_type: often('a/b'),
    },
    { requiredKeys: ['bytes', 'filename', 'purpose', 'mime_type'] },
  );
  const endpoint = fc.record(
    {
      url: often('https://example.com/hook'),
      events: often(['batch.failed']),
      description: often('a'),
      enabled: often(true),
      previous_expires_after: value,
    },
    { requiredKeys: ['url'] },
  );
  const complete = fc.record({ part_ids: fc.array(value), md5: value });
  const damaged = fc.tuple(request, fc.nat(), fc.string()).map(([body, at, noise]) => {
    const json = JSON.stringify(body);
    const cut = at % (json.length + 1);
    return json.slice(0, cut) + noise + json.slice(cut);
  });
  const call = fc.oneof(
    fc.tuple(
      fc.constant('/v1/batches'),
      request.map((body) => JSON.stringify(body)),
    ),
    fc.tuple(
      fc.constant('/v1/uploads'),
      upload.map((body) => JSON.stringify(body)),
    ),
    fc.tuple(
      fc.constant('/v1/uploads/upload_01/complete'),
      complete.map((body) => JSON.stringify(body)),
    ),
    fc.tuple(
      fc.constantFrom(
        '/v1/webhook_endpoints',
        '/v1/webhook_endpoints/we_01',
        '/v1/webhook_endpoints/we_01/rotate_secret',
      ),
      endpoint.map((body) => JSON.stringify(body)),
    ),
    fc.tuple(
      fc.constantFrom('/v1/batches', '/v1/uploads', '/v1/webhook_endpoints', '/v1/batches/batch_01/cancel'),
      fc.oneof(fc.json(), damaged),
    ),
  );
  await fc.assert(
    fc.asyncProperty(call, async ([path, body]) => {
      const headers = { 'content-type': 'application/json' };
      await expectHarmless(server, await server.call(path, { method: 'POST', headers, body }));
    }),
    runs,
  );
  expect(Object.keys(Object.prototype)).toEqual([]);
  expectSomeAccepted(server);
});

test('multipart bodies', { timeout: 120_000 }, async () => {
  const { server } = await withSecret();
  const name = fc.oneof(
    fc.constantFrom('file', 'purpose', 'expires_after[anchor]', 'expires_after[seconds]', '__proto__', 'data', ''),
    fc.string({ maxLength: 20 }),
  );
  const part = fc
    .record({
      name,
      filename: fc.option(fc.string({ maxLength: 300 })),
      type: fc.option(
        fc.constantFrom('application/octet-stream', 'application/json', 'multipart/mixed; boundary=x', ''),
      ),
      content: fc.oneof(
        fc.constantFrom('batch', 'created_at', '3600', '--b', '\r\n--b--\r\n'),
        fc.string({ maxLength: 2000 }),
      ),
    })
    .map(({ name: field, filename, type, content }) => {
      const disposition = `form-data; name="${field}"${filename === null ? '' : `; filename="${filename}"`}`;
      return `--b\r\nContent-Disposition: ${disposition}\r\n${type === null ? '' : `Content-Type: ${type}\r\n`}\r\n${content}\r\n`;
    });
  const purpose = '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n';
  const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n';
  const form = fc
    .tuple(
      fc.constantFrom([purpose, file], [file, purpose], [file], []),
      fc.array(part, { maxLength: 2 }),
      fc.constantFrom('--b--\r\n', '--b--', '--b', ''),
    )
    .map(([usual, parts, end]) => Buffer.from([...usual, ...parts].join('') + end));
  const damaged = fc.tuple(form, fc.nat(), fc.uint8Array({ maxLength: 20 })).map(([bytes, at, noise]) => {
    const cut = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, cut), noise, bytes.subarray(cut)]);
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof(form, damaged), async (body) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=b' };
      await expectHarmless(server, await server.call('/v1/files', { method: 'POST', headers, body }));
    }),
    runs,
  );
  expectSomeAccepted(server);
});

test('bytes on the wire', { timeout: 120_000 }, async () => {
  const { server } = await withSecret();
  const line = fc.oneof(
    fc.constantFrom(
      'Content-Length: 5',
      'Content-Length: -1',
      'Content-Length: 5, 6',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: x',
      'Expect: 100-continue',
      'Connection: upgrade',
      'Upgrade: websocket',
      'Authorization: Bearer ey_a_secret',
      'Range: bytes=0-',
      'Accept: */*',
      'X-Any: x',
      'Content-Type: multipart/form-data; boundary=',
      'Content-Encoding: gzip',
      'Accept-Version: 9',
      'X: \u0000',
    ),
    fc.stringMatching(/^X-[a-z]{1,5}: [ -~]{0,40}$/),
  );
  const anyLine = fc.oneof({ weight: 9, arbitrary: line }, fc.string({ maxLength: 60 }));
  const message = fc
    .tuple(
      fc.constantFrom('GET', 'POST', 'DELETE', 'GET', 'POST', 'PRI', 'get'),
      fc.constantFrom('/v1/files', '/v1/batches', '*', 'http://other/v1/files', '/health', '//', ''),
      fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/9.9', ''),
      fc.array(anyLine, { maxLength: 4 }),
      fc.oneof(fc.constant(''), fc.string({ maxLength: 100 })),
    )
    .map(([method, url, version, lines, body]) =>
      [`${method} ${url} ${version}`, 'Host: t', ...lines, '', body].join('\r\n'),
    );
  await fc.assert(
    fc.asyncProperty(message, async (bytes) => {
      const raw = new RawSocket(server.port);
      await raw.send(bytes);
      raw.socket.end();
      await raw.end();
      const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(raw.received) ?? [];
      if (status !== undefined) expect(Number(status), bytes).toBeLessThan(500);
      expect(raw.received).not.toContain(secret);
    }),
    runs,
  );
  expectSomeAccepted(server);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});
