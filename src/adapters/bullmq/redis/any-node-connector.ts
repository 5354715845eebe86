import { createConnection, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { AbstractConnector } from 'ioredis';
import type { RedisNode } from './redis-target.js';

interface ConnectorOptions {
  readonly tls?: ConnectionOptions;
  readonly disconnectTimeout: number;
}

/** Connects to the nodes of a list by turns, beginning anywhere: another one at each reconnect. */
export class AnyNodeConnector extends AbstractConnector {
  readonly #nodes: () => readonly RedisNode[];
  readonly #tls: ConnectionOptions | undefined;
  #turn = Math.floor(Math.random() * 2 ** 20);

  private constructor(nodes: () => readonly RedisNode[], { tls, disconnectTimeout }: ConnectorOptions) {
    super(disconnectTimeout);
    this.#nodes = nodes;
    this.#tls = tls;
  }

  /** In the form that ioredis takes. */
  static of(nodes: () => readonly RedisNode[]): new (options: unknown) => AbstractConnector {
    return class extends AnyNodeConnector {
      constructor(options: unknown) {
        super(nodes, options as ConnectorOptions);
      }
    };
  }

  async connect(): Promise<Socket> {
    this.connecting = true;
    // ioredis sets up its client before it looks at the stream.
    await Promise.resolve();
    if (!this.connecting) throw new Error('Connection is closed.');
    const nodes = this.#nodes();
    const node = nodes[this.#turn++ % nodes.length];
    if (!node) throw new Error('No node of the cluster is known.');
    const { host, port } = node;
    const stream = this.#tls ? connectTls({ host, port, ...this.#tls }) : createConnection({ host, port });
    this.stream = stream;
    stream.once('error', (error: Error) => {
      this.firstError = error;
    });
    return stream;
  }
}
