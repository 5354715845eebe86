import { pino, type DestinationStream, type Logger } from 'pino';
import type { Log, LogFields } from '../../ports/log.js';
import { toErrorFields } from './error-fields.js';
import { prettyLine } from './pretty-line.js';
import { redactField } from './redact.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface PinoLogOptions {
  readonly level: LogLevel;
  /** One coloured line per event for people, instead of JSON. */
  readonly pretty: boolean;
  /** Name of the program, on every line. */
  readonly program: string;
  /** Default: standard error, written at once so that a crash loses nothing. */
  readonly destination?: DestinationStream;
}

/** Structured log through pino. Fields are redacted by name and by form before pino sees them. */
export class PinoLog implements Log {
  readonly #logger: Logger;

  constructor({ level, pretty, program, destination }: PinoLogOptions) {
    const sink = destination ?? pino.destination({ fd: 2, sync: true });
    this.#logger = pino(
      {
        level,
        base: { program },
        messageKey: 'event',
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      pretty ? { write: (line: string) => sink.write(prettyLine(line)) } : sink,
    );
  }

  debug(event: string, fields?: LogFields): void {
    if (this.#logger.isLevelEnabled('debug')) this.#logger.debug(redacted(fields), event);
  }

  info(event: string, fields?: LogFields): void {
    this.#logger.info(redacted(fields), event);
  }

  warn(event: string, fields?: LogFields): void {
    this.#logger.warn(redacted(fields), event);
  }

  error(event: string, fields?: LogFields, cause?: unknown): void {
    this.#logger.error({ ...redacted(fields), ...(cause === undefined ? {} : toErrorFields(cause)) }, event);
  }
}

function redacted(fields: LogFields = {}): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) clean[name] = redactField(name, value);
  return clean;
}
