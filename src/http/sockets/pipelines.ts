import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface PipelineRules {
  /** Requests of one connection that are carried out at once. */
  readonly atOnce: number;
  /** With so many that wait, nothing more is read of the connection. */
  readonly waitingMax: number;
}

interface Pipeline {
  running: number;
  paused: boolean;
  readonly waiting: { readonly request: IncomingMessage; readonly response: ServerResponse }[];
}

/**
 * Has a server carry out the requests of one connection a few at a time, in their order. A client may send many before the first answer
 * is out, and Node begins each as soon as it is parsed: a packet holds a thousand of them, which would hold up all other connections
 * for a second. To be called before anybody else listens to the server's requests: those are told of each as it is parsed.
 */
export function pacePipelines(server: Server, rules: PipelineRules): void {
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  const pipelines = new WeakMap<Socket, Pipeline>();

  const begin = (pipeline: Pipeline, request: IncomingMessage, response: ServerResponse): void => {
    pipeline.running++;
    response.once('close', () => {
      pipeline.running--;
      // In another turn: with answers that are made at once, one connection would else have all of this one.
      setImmediate(() => next(pipeline));
    });
    for (const listener of listeners) void listener(request as never, response as never);
  };

  const next = (pipeline: Pipeline): void => {
    if (pipeline.running >= rules.atOnce) return;
    const following = pipeline.waiting.shift();
    if (!following) return;
    const { request, response } = following;
    if (pipeline.paused && pipeline.waiting.length <= rules.waitingMax / 2) {
      pipeline.paused = false;
      request.socket.resume();
    }
    // The connection has ended: nobody takes the answer.
    if (response.destroyed) return next(pipeline);
    begin(pipeline, request, response);
  };

  server.on('request', (request, response) => {
    const { socket } = request;
    let pipeline = pipelines.get(socket);
    if (!pipeline) pipelines.set(socket, (pipeline = { running: 0, paused: false, waiting: [] }));
    if (pipeline.running < rules.atOnce && pipeline.waiting.length === 0) return begin(pipeline, request, response);
    pipeline.waiting.push({ request, response });
    if (pipeline.waiting.length < rules.waitingMax || pipeline.paused) return;
    pipeline.paused = true;
    socket.pause();
  });
}
