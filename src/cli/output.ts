import { isatty } from 'node:tty';
import picocolors from 'picocolors';
import { printable } from './printable.js';
import { errorCode, errorKinds, EyrieError } from '../domain/errors.js';

/** Colours only where a person looks: what a program reads from a pipe stays plain, also where `CI` is set. */
export const pc = picocolors.createColors(isatty(1) && !process.env['NO_COLOR']);

/** Data goes to standard output, all else to standard error. */
export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** What went wrong, as one short text with its code; the stack when it is none of ours. */
export function reportError(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  note(`${pc.red('error')} ${errorCode(error)}: ${printable(message)}`);
  if (errorCode(error) === 'internal_error' && error instanceof Error && error.stack)
    note(pc.dim(printable(error.stack)));
}

/** The same as one JSON object with the members of an API error, for commands that were asked for JSON. */
export function reportJsonError(error: unknown): void {
  const code = errorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const param = error instanceof EyrieError ? error.param : null;
  // What is escaped so is JSON, too.
  note(printable(JSON.stringify({ message, type: errorKinds[code].type, code, param })));
}

/** A line on the terminal that is written over; without a terminal a line per tenth. */
export class ProgressLine {
  readonly #stream = process.stderr;
  #tenth = -1;
  #shown = false;

  update(fraction: number, text: string): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\u001b[2K${text}`);
      this.#shown = true;
      return;
    }
    const tenth = Math.floor(fraction * 10);
    if (tenth > this.#tenth) this.#stream.write(`${text}\n`);
    this.#tenth = Math.max(this.#tenth, tenth);
  }

  /** Loading is quick for small models and of no interest in a log: shown on a terminal only. */
  showLoading(model: string, bytesDone: number, bytesTotal: number): void {
    if (!this.#stream.isTTY) return;
    const fraction = bytesDone / Math.max(1, bytesTotal);
    this.update(fraction, `loading ${printable(model)}  ${Math.floor(100 * fraction)} %`);
  }

  end(): void {
    if (this.#shown) this.#stream.write('\n');
    this.#shown = false;
  }
}
