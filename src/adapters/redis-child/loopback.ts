import { connect, createServer, type AddressInfo } from 'node:net';
import type { ServerConfig } from './server-config.js';

const answerMs = 1000;

/** A port of the loopback interface that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** What a server with this password says on this port: `ready`, `loading` its data, or `silent` (no server, or another's). */
export function askServer({ port, password }: ServerConfig): Promise<'ready' | 'loading' | 'silent'> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let answer = '';
    const end = (state: 'ready' | 'loading' | 'silent'): void => {
      socket.destroy();
      resolve(state);
    };
    socket.setTimeout(answerMs, () => end('silent'));
    socket.once('error', () => end('silent'));
    socket.once('close', () => end('silent'));
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.startsWith('-') && !answer.startsWith('-LOADING')) end('silent');
      else if (answer.includes('+PONG')) end('ready');
      else if (answer.includes('-LOADING')) end('loading');
    });
  });
}
