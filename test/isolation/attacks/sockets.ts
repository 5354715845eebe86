import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack, Attacker } from './attack.js';

const fileBytes = 30 * 1000 * 1000;

/** A right batch file of about so many bytes. */
export function largeFile(model: string, bytes: number, lineBytes = 300): Buffer {
  const lines: string[] = [];
  for (let at = 0, size = 0; size < bytes; at++) {
    const line = JSON.stringify({
      custom_id: `line-${at}`,
      method: 'POST',
      url: '/v1/completions',
      body: { model, prompt: 'a '.repeat(Math.max(1, (lineBytes - 130) / 2)), max_tokens: 2 },
    });
    lines.push(line);
    size += line.length + 1;
  }
  return Buffer.from(lines.join('\n'));
}

/** Downloads that are never read, with and without a few bytes now and then. */
const unread = (name: string, sockets: number, everyMs: number | null): Attack => ({
  name,
  s3: true,
  prepare: async (attacker, signal) => {
    const id = await attacker.client.upload(largeFile(attacker.target.model, fileBytes), { timeoutMs: 60_000 });
    return () =>
      attacker.hold(sockets, signal, () => {
        const socket = attacker.socket();
        socket.pause();
        socket.write(attacker.head('GET', `/v1/files/${id}/content`));
        if (everyMs !== null) {
          const timer = setInterval(() => {
            if (socket.read(1) !== null) attacker.count('byte read');
          }, everyMs);
          socket.once('close', () => clearInterval(timer));
        }
        return socket;
      });
  },
});

const noted = (attacker: Attacker, socket: Socket): Socket => {
  socket.once('data', (bytes) => attacker.count(String(bytes).slice(9, 12)));
  socket.resume();
  return socket;
};

export const socketAttacks: readonly Attack[] = [
  unread('260 downloads that are not read', 260, null),
  unread('260 downloads read by the byte', 260, 200),
  {
    name: '60 bodies held before their end',
    prepare: (attacker, signal) => {
      const bytes = 16 * 1024 * 1024;
      const body = Buffer.concat([
        Buffer.from('{"endpoint":"/v1/completions","eyrie":{"requests":[{"custom_id":"a","body":{"prompt":"'),
        Buffer.alloc(bytes - 2048, 'a'),
      ]);
      return Promise.resolve(() =>
        attacker.hold(60, signal, () => {
          const socket = noted(attacker, attacker.socket());
          socket.write(
            attacker.head('POST', '/v1/batches', { 'content-type': 'application/json', 'content-length': bytes }),
          );
          socket.write(body);
          return socket;
        }),
      );
    },
  },
  {
    name: '250 uploads and bodies held half way',
    s3: true,
    prepare: (attacker, signal) => {
      const form = 'multipart/form-data; boundary=b';
      const start = Buffer.from(
        '--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n',
      );
      const part = Buffer.alloc(1024 * 1024, 'a');
      const json = Buffer.concat([Buffer.from('{"model":"'), Buffer.alloc(1000 * 1000, 'a')]);
      return Promise.resolve(() =>
        attacker.hold(250, signal, (at) => {
          const socket = noted(attacker, attacker.socket());
          const isForm = at % 2 === 0;
          const headers = isForm
            ? { 'content-type': form, 'content-length': 50 * 1024 * 1024 }
            : { 'content-type': 'application/json', 'content-length': 1024 * 1024 };
          socket.write(attacker.head('POST', isForm ? '/v1/files' : '/v1/chat/completions', headers));
          if (isForm) socket.write(start);
          socket.write(isForm ? part : json);
          return socket;
        }),
      );
    },
  },
  {
    name: '1000 half-closed sockets and endless headers',
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.hold(1000, signal, (at) => {
          const socket = noted(attacker, attacker.socket());
          if (at % 3 === 0) {
            socket.write('GET /v1/models HTTP/1.1\r\nhost: eyrie.test\r\nx: ');
            const timer = setInterval(() => socket.write('y'), 1000);
            socket.once('close', () => clearInterval(timer));
          } else if (at % 3 === 1) {
            socket.end('GET /health HTTP/1.1\r\nhost: eyrie.test\r\n');
          } else {
            socket.write('not HTTP at all\r\n\r\n');
          }
          return socket;
        }),
      ),
  },
  {
    name: 'connections opened and closed',
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.lanes(50, signal, async (lane) => {
          const socket = attacker.socket();
          if (lane % 2 === 0) socket.write('GET /health HTTP/1.1\r\nhost: eyrie.test\r\n\r\n');
          await sleep(20);
          // One that its client closes keeps a port of the client's for a minute: with most of them reset, there are enough.
          if (lane % 8 === 0) socket.destroy();
          else socket.resetAndDestroy();
        }),
      ),
  },
  {
    name: 'streams that are not read',
    prepare: (attacker, signal) => {
      const body = JSON.stringify({
        model: attacker.target.model,
        prompt: 'Once',
        max_tokens: 480,
        n: 16,
        ignore_eos: true,
        stream: true,
        logprobs: 5,
      });
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      return Promise.resolve(() =>
        attacker.hold(60, signal, () => {
          const socket = attacker.socket();
          socket.pause();
          socket.write(attacker.head('POST', '/v1/completions', headers) + body);
          return socket;
        }),
      );
    },
  },
  {
    name: 'pipelined requests whose answers are not read',
    prepare: (attacker, signal) => {
      const gets = attacker.head('GET', '/v1/files?limit=1000').repeat(200);
      return Promise.resolve(() =>
        attacker.hold(20, signal, (at) => {
          const socket = attacker.socket();
          if (at % 2 === 0) socket.pause();
          else socket.resume();
          socket.write(gets);
          return socket;
        }),
      );
    },
  },
  {
    name: 'bodies in chunks of a byte, with extensions',
    prepare: (attacker, signal) => {
      const chunk = Buffer.from(`1;${'e'.repeat(200)}=1\r\na\r\n`.repeat(500));
      return Promise.resolve(() =>
        attacker.hold(20, signal, () => {
          const socket = noted(attacker, attacker.socket());
          const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
          socket.write(`${attacker.head('POST', '/v1/chat/completions', headers)}1\r\n{\r\n`);
          const more = (): void => {
            while (!socket.destroyed && socket.writableLength < 1024 * 1024 && socket.write(chunk));
          };
          socket.on('drain', more);
          more();
          return socket;
        }),
      );
    },
  },
  {
    name: 'upgrades, expectations and odd methods',
    prepare: (attacker, signal) =>
      Promise.resolve(() =>
        attacker.hold(100, signal, (at) => {
          const socket = noted(attacker, attacker.socket());
          const headers = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' };
          const upgrade = { ...headers, connection: 'Upgrade', upgrade: at % 2 === 0 ? 'websocket' : 'h2c' };
          if (at % 3 === 0) socket.write(attacker.head('GET', '/v1/models', upgrade).repeat(3));
          else if (at % 3 === 1)
            socket.write(attacker.head('POST', '/v1/files', { expect: '100-continue', 'content-length': 1000 }));
          else socket.write(attacker.head('CONNECT', '127.0.0.1:22') + attacker.head('TRACE', '/'));
          return socket;
        }),
      ),
  },
];
