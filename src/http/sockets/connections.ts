import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RateWindow, type LeastRate } from './rate-window.js';

export interface ConnectionRules {
  /** Connections at once. */
  readonly max: number;
  /** How fast a client must take what there is for it. */
  readonly readerRate: LeastRate;
  /** A connection that the service has closed on its side is given up when the client has not done so as well by then. */
  readonly lingerMs: number;
}

export interface ConnectionEvents {
  /** `room`: one that nothing was asked on made room for a new one, or a new one found none. */
  readonly onCut: (reason: 'slow_reader' | 'room') => void;
  /** Answers a connection for which there is no room; it is closed then. */
  readonly refuse: (socket: Socket) => void;
}

interface Connection {
  readonly answers: Set<ServerResponse>;
  /** While the client is waited for. */
  window: RateWindow | null;
  takenBytes: number;
  /** Since when both our side is closed and all of it was taken; by the monotonic clock. */
  endedMs: number | null;
}

interface SocketHandle {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
}

/** Bytes that the system has taken for the client; within a large write too, which Node itself shows on its handle only. */
function bytesTaken(socket: Socket): number {
  const { bytesWritten, writeQueueSize } = (Reflect.get(socket, '_handle') as SocketHandle | null | undefined) ?? {};
  return bytesWritten === undefined || writeQueueSize === undefined
    ? socket.bytesWritten - socket.writableLength
    : bytesWritten - writeQueueSize;
}

/**
 * The connections of a server. Node waits for clients without an end once their requests are in; here each is closed that does not
 * take its answer, or does not close a connection that the service has closed. When there are too many, the one on which nothing was
 * asked for the longest makes room: whoever opens connections to hold them pushes out their own.
 */
export class Connections {
  readonly #rules: ConnectionRules;
  readonly #events: ConnectionEvents;
  readonly #tickMs: number;
  readonly #all = new Map<Socket, Connection>();
  /** Connections without a request, in the order in which they came to be so: first those on which there never was one. */
  readonly #silent = new Set<Socket>();
  readonly #idle = new Set<Socket>();

  constructor(server: Server, rules: ConnectionRules, events: ConnectionEvents) {
    this.#rules = rules;
    this.#events = events;
    this.#tickMs = Math.max(10, Math.min(rules.readerRate.graceMs / 10, rules.lingerMs / 2));
    server.on('connection', (socket: Socket) => this.#add(socket));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#begin(request.socket, response));
    const timer = setInterval(() => this.#lookAtAll(), this.#tickMs);
    timer.unref();
    server.once('close', () => clearInterval(timer));
  }

  /** Connections on which nothing was asked yet: Node does not count them as idle, and they would hold a shutdown up. */
  closeSilent(): void {
    for (const socket of this.#silent) if (socket.bytesRead === 0) socket.destroy();
  }

  #add(socket: Socket): void {
    socket.once('close', () => this.#forget(socket));
    if (this.#all.size >= this.#rules.max && !this.#makeRoom()) {
      this.#events.onCut('room');
      this.#events.refuse(socket);
    }
    this.#all.set(socket, { answers: new Set(), window: null, takenBytes: 0, endedMs: null });
    this.#silent.add(socket);
  }

  #makeRoom(): boolean {
    const [silent] = this.#silent;
    const [idle] = this.#idle;
    const socket = silent ?? idle;
    if (!socket) return false;
    this.#events.onCut('room');
    socket.destroy();
    this.#forget(socket);
    return true;
  }

  #begin(socket: Socket, response: ServerResponse): void {
    const connection = this.#all.get(socket);
    if (!connection) return;
    connection.answers.add(response);
    this.#silent.delete(socket);
    this.#idle.delete(socket);
    response.once('close', () => {
      connection.answers.delete(response);
      if (connection.answers.size === 0 && this.#all.has(socket)) this.#idle.add(socket);
    });
  }

  #forget(socket: Socket): void {
    const connection = this.#all.get(socket);
    this.#all.delete(socket);
    this.#silent.delete(socket);
    this.#idle.delete(socket);
    // Answers after the first of a pipeline have no connection yet, and Node does not notify them of its end.
    for (const response of connection?.answers ?? [])
      if (response.socket === null) {
        response.destroy();
        response.emit('close');
      }
  }

  #lookAtAll(): void {
    const nowMs = performance.now();
    for (const [socket, connection] of this.#all) this.#lookAt(socket, connection, nowMs);
  }

  #lookAt(socket: Socket, connection: Connection, nowMs: number): void {
    if (socket.writableFinished) {
      connection.endedMs ??= nowMs;
      if (nowMs - connection.endedMs >= this.#rules.lingerMs) socket.destroy();
      return;
    }
    if (socket.writableLength === 0) {
      connection.window = null;
      return;
    }
    const takenBytes = bytesTaken(socket);
    if (connection.window === null) {
      connection.window = new RateWindow(this.#rules.readerRate, this.#tickMs);
      connection.takenBytes = takenBytes;
      return;
    }
    const tooSlow = connection.window.tick(takenBytes - connection.takenBytes);
    connection.takenBytes = takenBytes;
    if (!tooSlow) return;
    this.#events.onCut('slow_reader');
    socket.destroy();
  }
}
