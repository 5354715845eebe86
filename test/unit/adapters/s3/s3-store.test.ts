import { afterEach, describe, expect, it } from 'vitest';
import { content, cut, ScriptedServer, status, type Answer } from './scripted-server.js';

const bytes = new TextEncoder().encode('mine');
const stored = status(200, undefined, { etag: '"e1"' });
const refused = status(412, 'PreconditionFailed');

let server: ScriptedServer | null = null;
afterEach(() => server?.close());

async function start(...answers: Answer[]): Promise<ScriptedServer> {
  server = await ScriptedServer.start(answers);
  return server;
}

async function* stream(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

const part = new Uint8Array(8 * 1024 * 1024);

describe('S3Store.create', () => {
  it('sends the condition, no checksum trailer, and the bytes as they are', async () => {
    const { store, requests } = await start(stored);
    expect(await store.create('a/b', bytes)).toEqual({ created: true, etag: '"e1"' });
    expect(requests[0]?.headers['if-none-match']).toBe('*');
    expect(requests[0]?.headers['x-amz-trailer']).toBeUndefined();
    expect(requests[0]?.body.toString()).toBe('mine');
  });

  it('counts as created when its own answer was lost', async () => {
    let write = '';
    const done: Answer = (request, response) => {
      write = String(request.headers['x-amz-meta-eyrie-write']);
      response.destroy();
    };
    const head: Answer = (_request, response) => {
      response.writeHead(200, { etag: '"e1"', 'x-amz-meta-eyrie-write': write });
      response.end();
    };
    const { store, calls } = await start(done, refused, head).then(bind);
    expect(await store.create('a', bytes)).toEqual({ created: true, etag: '"e1"' });
    expect(calls()).toEqual(['PUT a', 'PUT a', 'HEAD a']);
  });

  it('has lost when another write is there, even of the same bytes, or was there and is gone', async () => {
    const other = status(200, undefined, { etag: '"e1"', 'x-amz-meta-eyrie-write': 'another' });
    const unmarked = status(200, undefined, { etag: '"e1"' });
    const { store } = await start(refused, other, refused, unmarked, refused, status(404, 'NoSuchKey'));
    for (let i = 0; i < 3; i++) expect(await store.create('a', bytes)).toEqual({ created: false });
  });

  it('does not guess when it cannot be told whose write is there', async () => {
    const { store } = await start(refused, status(403, 'AccessDenied'));
    await expect(store.create('a', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('tries again after a conflict, a request to slow down, and a server error', async () => {
    const { store, requests } = await start(status(409, 'ConditionalRequestConflict'), status(503, 'SlowDown'), stored);
    expect((await store.create('a', bytes)).created).toBe(true);
    expect(requests).toHaveLength(3);
  });

  it('gives up after the last attempt, at once when it is refused, and knows a full disk', async () => {
    const down = status(500, 'InternalError');
    const { store, requests } = await start(
      down,
      down,
      down,
      status(403, 'AccessDenied'),
      status(507, 'InsufficientStorage'),
    );
    await expect(store.create('a', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(requests).toHaveLength(3);
    await expect(store.create('a', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.create('a', bytes)).rejects.toMatchObject({ code: 'disk_full' });
    expect(requests).toHaveLength(5);
  });

  it('does not wait for ever for an answer', async () => {
    const silent: Answer = () => undefined;
    server = await ScriptedServer.start([silent, stored, stored, stored], 300);
    expect((await server.store.create('a', bytes)).created).toBe(true);
    expect(server.requests.length).toBeGreaterThan(1);
  });
});

describe('S3Store.deleteMany', () => {
  const names = Array.from({ length: 1001 }, (_, n) => `k${n}`);
  const deleted =
    (errors = ''): Answer =>
    (_request, response) =>
      void response.end(`<DeleteResult>${errors}</DeleteResult>`);

  it('deletes up to a thousand with a call, and a single one as before', async () => {
    const { store, calls, requests } = await start(deleted(), status(204), status(204)).then(bind);
    await store.deleteMany(names);
    await store.deleteMany(['a']);
    await store.deleteMany([]);
    expect(calls()).toEqual(['POST ?delete=', 'DELETE k1000', 'DELETE a']);
    expect(requests[0]?.body.toString().match(/<Key>/g)).toHaveLength(1000);
  });

  it('deletes by itself what the call could not delete, and throws what is wrong with it', async () => {
    const failed = (key: string, code: string): string => `<Error><Key>${key}</Key><Code>${code}</Code></Error>`;
    const { store, calls } = await start(
      deleted(failed('k1', 'InternalError') + failed('k2', 'NoSuchKey')),
      status(204),
      deleted(failed('k3', 'AccessDenied')),
      status(403, 'AccessDenied'),
    ).then(bind);
    await store.deleteMany(['k0', 'k1', 'k2']);
    await expect(store.deleteMany(['k3', 'k4'])).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining("'k3'") as string,
    });
    expect(calls()).toEqual(['POST ?delete=', 'DELETE k1', 'POST ?delete=', 'DELETE k3']);
  });

  it.each([status(501, 'NotImplemented'), status(400, 'MissingContentMD5')])(
    'deletes one by one from then on where the server does not take such calls',
    async (refusal) => {
      const { store, calls } = await start(refusal, status(204), status(204), status(204), status(204)).then(bind);
      await store.deleteMany(['k0', 'k1']);
      await store.deleteMany(['k2', 'k3']);
      expect(calls().map((call) => call.split(' ')[0])).toEqual(['POST', 'DELETE', 'DELETE', 'DELETE', 'DELETE']);
    },
  );

  it('tries again after a failure of the server', async () => {
    const { store, calls } = await start(status(503, 'SlowDown'), deleted()).then(bind);
    await store.deleteMany(['k0', 'k1']);
    expect(calls()).toEqual(['POST ?delete=', 'POST ?delete=']);
  });
});

describe('S3Store reading', () => {
  it('reads a cut body on from where it was, of the same object', async () => {
    const half: Answer = (_request, response) => {
      response.writeHead(200, { etag: '"e1"', 'content-length': '10' });
      response.write('01234', () => setTimeout(() => response.destroy(), 20));
    };
    const { store, requests } = await start(half, content('56789', { 'content-range': 'bytes 5-9/10' }));
    expect(Buffer.from((await store.get('a'))?.bytes ?? []).toString()).toBe('0123456789');
    expect(requests[1]?.headers).toMatchObject({ range: 'bytes=5-9', 'if-match': '"e1"' });
  });

  it('does not take a body without a length for an empty object', async () => {
    const { store } = await start((_request, response) => {
      response.writeHead(200, { etag: '"e1"' });
      response.end('text');
    });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('does not mix an object with the one that replaced it', async () => {
    const half: Answer = (_request, response) => {
      response.writeHead(200, { etag: '"e1"', 'content-length': '10' });
      response.write('01234', () => setTimeout(() => response.destroy(), 20));
    };
    const { store } = await start(half, status(412, 'PreconditionFailed'));
    await expect(store.get('a')).rejects.toMatchObject({ code: 'input_changed' });
  });

  it('takes an answer of a listing that was cut for none', async () => {
    const { store } = await start(
      (_request, response) => response.end('<ListBucketResult><Contents><Key>a</'),
      (_request, response) =>
        response.end(
          '<ListBucketResult><Contents><Key>a</Key><ETag>e</ETag><Size>1</Size></Contents></ListBucketResult>',
        ),
    );
    expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['a']);
  });

  it('sorts a page that the server did not', async () => {
    const page = ['b', 'a', 'c']
      .map((key) => `<Contents><Key>${key}</Key><ETag>e</ETag><Size>1</Size></Contents>`)
      .join('');
    const { store } = await start((_request, response) =>
      response.end(`<ListBucketResult><IsTruncated>true</IsTruncated>${page}</ListBucketResult>`),
    );
    const { objects, next } = await store.list('');
    expect(objects.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect(next).toBe('c');
  });
});

describe('S3Store.putStream', () => {
  const begun = (_request: unknown, response: { end(text: string): void }): void =>
    response.end('<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>');
  const completed: Answer = (_request, response) =>
    void response.end('<CompleteMultipartUploadResult><ETag>"m-2"</ETag></CompleteMultipartUploadResult>');

  it('sends a part again, and completes with all of them in order', async () => {
    const { store, calls, requests } = await start(
      begun,
      status(200, undefined, { etag: '"p1"' }),
      status(500, 'InternalError'),
      status(200, undefined, { etag: '"p2"' }),
      completed,
    ).then(bind);
    expect(await store.putStream('a', stream(part, bytes))).toMatchObject({ etag: '"m-2"', bytes: part.length + 4 });
    expect(calls()).toEqual([
      'POST a?uploads=',
      'PUT a?partNumber=1&uploadId=u1',
      'PUT a?partNumber=2&uploadId=u1',
      'PUT a?partNumber=2&uploadId=u1',
      'POST a?uploadId=u1',
    ]);
    expect(requests.at(-1)?.body.toString()).toMatch(/p1.*<PartNumber>1<.*p2.*<PartNumber>2</s);
  });

  it('aborts the upload when a part fails for good', async () => {
    const { store, calls } = await start(begun, status(403, 'AccessDenied'), status(204)).then(bind);
    await expect(store.putStream('a', stream(part, part, part))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(calls().at(-1)).toBe('DELETE a?uploadId=u1');
  });

  it('aborts the upload when the source fails, and throws its error', async () => {
    const { store, calls } = await start(begun, status(200, undefined, { etag: '"p1"' }), status(204)).then(bind);
    const failure = new Error('gone');
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield part;
      throw failure;
    };
    await expect(store.putStream('a', source())).rejects.toBe(failure);
    expect(calls().at(-1)).toBe('DELETE a?uploadId=u1');
  });

  it('finds out by HEAD whether a Complete without an answer was done', async () => {
    let write = '';
    const beginning: Answer = (request, response) => {
      write = String(request.headers['x-amz-meta-eyrie-write']);
      begun(request, response);
    };
    const head: Answer = (_request, response) => {
      response.writeHead(200, { etag: '"m-1"', 'x-amz-meta-eyrie-write': write });
      response.end();
    };
    const p1 = status(200, undefined, { etag: '"p1"' });
    const { store } = await start(beginning, p1, cut, status(404, 'NoSuchUpload'), head);
    expect((await store.putStream('a', stream(part))).etag).toBe('"m-1"');
  });

  it('does not take the object of another upload for its own', async () => {
    const other: Answer = (_request, response) => {
      response.writeHead(200, { etag: '"x"', 'x-amz-meta-eyrie-write': 'another' });
      response.end();
    };
    const p1 = status(200, undefined, { etag: '"p1"' });
    const { store } = await start(begun, p1, cut, status(404, 'NoSuchUpload'), other, status(204));
    await expect(store.putStream('a', stream(part))).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

describe('connections', () => {
  async function read(body: AsyncIterable<Uint8Array> | undefined): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body ?? []) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  it('serve further calls when a body was read to its end, in whole or as a range', async () => {
    const ranged = content('bc', { 'content-range': 'bytes 1-2/4' });
    const scripted = await start(...Array.from({ length: 5 }, () => [content('abcd'), content(''), ranged]).flat());
    for (let at = 0; at < 5; at++) {
      expect((await scripted.store.get('a'))?.bytes).toHaveLength(4);
      expect((await scripted.store.get('a'))?.bytes).toHaveLength(0);
      expect((await scripted.store.get('a', { range: { start: 1, end: 3 } }))?.bytes).toHaveLength(2);
    }
    expect(scripted.connections).toBe(1);
  });

  it('serve further calls when a reader stops at the last byte', async () => {
    const scripted = await start(content('abcd'), content('abcd'));
    for (let at = 0; at < 2; at++) {
      const chunks = (await scripted.store.getStream('a'))?.body[Symbol.asyncIterator]();
      expect((await chunks?.next())?.value).toHaveLength(4);
      await chunks?.return?.();
    }
    expect(scripted.connections).toBe(1);
  });

  it('are closed when a body is not read to its end', async () => {
    const half: Answer = (_request, response) => {
      response.writeHead(200, { etag: '"e1"', 'content-length': '8' });
      response.write('abcd');
    };
    const scripted = await start(half, content('abcd'));
    const chunks = (await scripted.store.getStream('a'))?.body[Symbol.asyncIterator]();
    await chunks?.next();
    await chunks?.return?.();
    expect(await read((await scripted.store.getStream('a'))?.body)).toBe('abcd');
    expect(scripted.connections).toBe(2);
  });
});

/** Lets `calls` be taken out of the server. */
const bind = (scripted: ScriptedServer) => ({
  store: scripted.store,
  requests: scripted.requests,
  calls: () => scripted.calls(),
});
