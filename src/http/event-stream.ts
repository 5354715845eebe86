import { Readable } from 'node:stream';
import type { LiveNews } from '../app/live/call-worker.js';

export const eventStreamHeaders = Object.freeze({
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx would else gather the events of a stream.
  'x-accel-buffering': 'no',
});

/** Line ends of Unicode that are none in this format, but are for readers that split lines by Unicode's rules. */
const lineEnds = /[\u0085\u2028\u2029]/g;
const escaped = (json: string): string =>
  json.replaceAll(lineEnds, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`);

const event = (json: string): string => `data: ${escaped(json)}\n\n`;

/** News of a stream: whole answers are none. */
export type StreamNews = Exclude<LiveNews, { kind: 'answer' | 'large answer' }>;

function toText(news: StreamNews): string {
  // A comment: readers skip it, and proxies see that the connection lives.
  if (news.kind === 'alive') return ': at work\n\n';
  return news.chunks.map(event).join('');
}

/**
 * The news of a call as server-sent events, in OpenAI's form: `data: JSON`, and `data: [DONE]` behind the last. A stream that
 * fails ends with an event that holds the error, and without [DONE]. News are taken as they come, whether or not the client reads:
 * one that has too much unread is cut off by `pushed`, which is called at each push.
 */
export function toEventStream(
  news: AsyncIterable<StreamNews>,
  toErrorBody: (error: unknown) => object,
  pushed: (body: Readable) => void,
): Readable {
  const body = new Readable({ read: () => undefined });
  const push = (text: string): void => {
    body.push(text);
    pushed(body);
  };
  const pump = async (): Promise<void> => {
    try {
      for await (const one of news) {
        if (body.destroyed) return;
        push(toText(one));
      }
      push('data: [DONE]\n\n');
    } catch (error) {
      if (!body.destroyed) push(event(JSON.stringify(toErrorBody(error))));
    }
    body.push(null);
  };
  void pump();
  return body;
}
