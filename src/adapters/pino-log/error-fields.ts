import { errorCode, errorKinds, isErrorCode } from '../../domain/errors.js';
import { redactText } from './redact.js';

const framesMax = 8;
const causesMax = 3;

function messageOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown };
  // Messages about a wrong request quote what the user sent; the code and the field say enough.
  if (isErrorCode(code) && errorKinds[code].status < 500) return undefined;
  return redactText(error.message);
}

/** What a log line says of an error: code, field, message, the nearest stack frames and the causes' messages. */
export function toErrorFields(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return { errorCode: errorCode(cause), errorName: typeof cause };
  const causes: string[] = [];
  for (let inner = cause.cause; inner instanceof Error && causes.length < causesMax; inner = inner.cause)
    causes.push(`${inner.name}: ${messageOf(inner) ?? errorCode(inner)}`);
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    errorCode: errorCode(cause),
    errorName: cause.name,
    errorParam: (cause as { param?: string | null }).param ?? undefined,
    errorMessage: messageOf(cause),
    causes: causes.length > 0 ? causes : undefined,
    stack: errorCode(cause) === 'internal_error' ? frames.slice(0, framesMax).map((line) => line.trim()) : undefined,
  };
}
