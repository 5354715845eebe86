import type { Log, LogFields } from '../../src/ports/log.js';

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: LogFields;
  readonly cause: unknown;
}

/** Keeps what is logged. */
export class MemoryLog implements Log {
  readonly entries: LogEntry[] = [];

  debug(event: string, fields: LogFields = {}): void {
    this.entries.push({ level: 'debug', event, fields, cause: undefined });
  }

  info(event: string, fields: LogFields = {}): void {
    this.entries.push({ level: 'info', event, fields, cause: undefined });
  }

  warn(event: string, fields: LogFields = {}): void {
    this.entries.push({ level: 'warn', event, fields, cause: undefined });
  }

  error(event: string, fields: LogFields = {}, cause?: unknown): void {
    this.entries.push({ level: 'error', event, fields, cause });
  }

  /** Entries of one event. */
  of(event: string): readonly LogEntry[] {
    return this.entries.filter((entry) => entry.event === event);
  }
}
