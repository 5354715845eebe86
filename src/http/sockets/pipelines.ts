import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { LoopTurns } from './loop-turns.js';

export interface PipelineRules {
  /** Turns in which requests of all connections are begun. */
  readonly turns: LoopTurns;
  /** Requests of one connection that are carried out at once. */
  readonly atOnce: number;
  /** Requests of one connection, and of all together, that wait for earlier ones of their connection. A connection with more is closed. */
  readonly waitingMax: number;
  readonly waitingInAllMax: number;
  readonly onCut: () => void;
}

interface Pipeline {
  running: number;
  readonly waiting: { readonly request: IncomingMessage; readonly response: ServerResponse }[];
}

/**
 * Has a server carry out the requests of one connection a few at a time, in their order. A client may send many before the first answer
 * is out, and Node begins each as soon as it is parsed: a packet holds a thousand of them, which would hold up all other connections
 * for a second. To be called before anybody else listens to the server's requests: those are notified of each as it is parsed.
 *
 * A connection that sends too far ahead is closed instead of paused: Node resumes it whenever it looks for more of a request.
 */
export function pacePipelines(server: Server, rules: PipelineRules): void {
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  const pipelines = new Map<Socket, Pipeline>();
  server.on('connection', () => rules.turns.noteConnection());
  let waitingInAll = 0;

  const begin = (pipeline: Pipeline, request: IncomingMessage, response: ServerResponse): void => {
    pipeline.running++;
    response.once('close', () => {
      pipeline.running--;
      // In another turn: with answers that are made at once, one connection would else have all of this one.
      setImmediate(() => next(pipeline));
    });
    // Whose it is is not known yet: the key stands for the caller, unchecked.
    rules.turns.take(request.headers.authorization ?? '', () => {
      // Its client may have gone while it waited.
      if (request.socket.destroyed) return;
      for (const listener of listeners) listener(request, response);
    });
  };

  const next = (pipeline: Pipeline): void => {
    if (pipeline.running >= rules.atOnce) return;
    const following = pipeline.waiting.shift();
    if (!following) return;
    waitingInAll--;
    begin(pipeline, following.request, following.response);
  };

  const forget = (socket: Socket, pipeline: Pipeline): void => {
    pipelines.delete(socket);
    // Nobody takes their answers.
    waitingInAll -= pipeline.waiting.length;
    pipeline.waiting.length = 0;
  };

  const pipelineOf = (socket: Socket): Pipeline => {
    let pipeline = pipelines.get(socket);
    if (!pipeline) {
      const made: Pipeline = { running: 0, waiting: [] };
      pipelines.set(socket, (pipeline = made));
      socket.once('close', () => forget(socket, made));
    }
    return pipeline;
  };

  server.on('request', (request, response) => {
    const { socket } = request;
    // The parser goes on to the end of a packet when its connection is closed in the middle.
    if (socket.destroyed) return;
    const pipeline = pipelineOf(socket);
    if (pipeline.running < rules.atOnce && pipeline.waiting.length === 0) return begin(pipeline, request, response);
    pipeline.waiting.push({ request, response });
    waitingInAll++;
    if (pipeline.waiting.length <= rules.waitingMax && waitingInAll <= rules.waitingInAllMax) return;
    rules.onCut();
    forget(socket, pipeline);
    socket.destroy();
  });
}
