import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HeldBytes } from './held-bytes.js';
import type { LoopTurns } from './loop-turns.js';

export interface PipelineRules {
  /** Turns in which requests of all connections are begun. */
  readonly turns: LoopTurns;
  /** Requests of one connection that are carried out at once. */
  readonly atOnce: number;
  /**
   * Whose request it is, as far as is known before it is begun. What many names would stand for the same caller must not count as many.
   */
  readonly callerOf: (request: IncomingMessage) => string;
  /** Requests of one connection that wait for earlier ones, and bytes of their headers. A connection with more is closed. */
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
  /** The same of all connections. When there are more, the connection with most bytes of the caller with most is closed. */
  readonly waitingInAllMax: number;
  readonly waitingInAllBytesMax: number;
  /** `bound`: which of these it was. */
  readonly onCut: (bound: 'waitingMax' | 'waitingBytesMax' | 'waitingInAllMax' | 'waitingInAllBytesMax') => void;
}

interface WaitingRequest {
  readonly caller: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bytes: number;
}

interface Pipeline {
  readonly socket: Socket;
  /** Whose first request it began with; what waits counts for them. */
  readonly caller: string;
  running: number;
  readonly waiting: WaitingRequest[];
  waitingBytes: number;
}

/** What a short text takes beside its characters. */
const textBytes = 24;

/** What the headers of a request take: very many short ones take more than a few long ones. */
function headerBytes({ url, rawHeaders }: IncomingMessage): number {
  let bytes = url?.length ?? 0;
  for (const text of rawHeaders) bytes += textBytes + text.length;
  return bytes;
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
  const held = new HeldBytes<Pipeline>();

  const begin = (pipeline: Pipeline, { caller, request, response }: Omit<WaitingRequest, 'bytes'>): void => {
    pipeline.running++;
    response.once('close', () => {
      pipeline.running--;
      // In another turn: with answers that are made at once, one connection would else have all of this one.
      setImmediate(() => next(pipeline));
    });
    rules.turns.take(caller, () => {
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
    pipeline.waitingBytes -= following.bytes;
    hold(pipeline);
    begin(pipeline, following);
  };

  const hold = (pipeline: Pipeline): void => {
    if (pipeline.waiting.length === 0) held.delete(pipeline.caller, pipeline);
    else held.set(pipeline.caller, pipeline, pipeline.waitingBytes);
  };

  const forget = (pipeline: Pipeline): void => {
    pipelines.delete(pipeline.socket);
    // Nobody takes their answers.
    waitingInAll -= pipeline.waiting.length;
    pipeline.waiting.length = 0;
    pipeline.waitingBytes = 0;
    hold(pipeline);
  };

  const cut = (pipeline: Pipeline | undefined, bound: Parameters<PipelineRules['onCut']>[0]): void => {
    if (!pipeline) return;
    rules.onCut(bound);
    forget(pipeline);
    pipeline.socket.destroy();
  };

  const largest = (): Pipeline | undefined => held.largestOf(held.largestCaller() ?? '');

  const pipelineOf = (socket: Socket, caller: string): Pipeline => {
    let pipeline = pipelines.get(socket);
    if (!pipeline) {
      const made: Pipeline = { socket, caller, running: 0, waiting: [], waitingBytes: 0 };
      pipelines.set(socket, (pipeline = made));
      socket.once('close', () => forget(made));
    }
    return pipeline;
  };

  server.on('request', (request, response) => {
    // The parser goes on to the end of a packet when its connection is closed in the middle.
    if (request.socket.destroyed) return;
    const caller = rules.callerOf(request);
    const pipeline = pipelineOf(request.socket, caller);
    if (pipeline.running < rules.atOnce && pipeline.waiting.length === 0)
      return begin(pipeline, { caller, request, response });
    const bytes = headerBytes(request);
    pipeline.waiting.push({ caller, request, response, bytes });
    waitingInAll++;
    pipeline.waitingBytes += bytes;
    hold(pipeline);
    if (pipeline.waiting.length > rules.waitingMax) cut(pipeline, 'waitingMax');
    else if (pipeline.waitingBytes > rules.waitingBytesMax) cut(pipeline, 'waitingBytesMax');
    else if (waitingInAll > rules.waitingInAllMax) cut(largest(), 'waitingInAllMax');
    else if (held.bytes > rules.waitingInAllBytesMax) cut(largest(), 'waitingInAllBytesMax');
  });
}
