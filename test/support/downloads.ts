import type { FastifyInstance } from 'fastify';
import type { World } from '../../src/app/world.js';
import { createServer } from '../../src/http/server.js';

/** Reads files as users do: by the API, with the key of the fake world's tenant. */
export class Downloads {
  readonly #server: FastifyInstance;

  constructor(world: World) {
    this.#server = createServer(world);
  }

  /** Throws what the API answers when that is not the content. */
  async read(fileId: string, headers: Readonly<Record<string, string>> = {}): Promise<Buffer> {
    const url = `/v1/files/${fileId}/content`;
    const answer = await this.#server.inject({ url, headers: { authorization: 'Bearer key', ...headers } });
    if (answer.statusCode >= 300) throw new Error(`${answer.statusCode} ${answer.body}`);
    return answer.rawPayload;
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}
