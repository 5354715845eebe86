import { EyrieError } from '../../domain/errors.js';
import { printable } from '../printable.js';
import { note, ProgressLine } from '../output.js';
import { sizeText } from '../size-text.js';

/** What the conversion found; the same members as in `compose/convert-model.ts`. */
export interface Converted {
  readonly model: string;
  readonly dtype: 'bfloat16' | 'int8' | 'fp8';
  readonly files: number;
  readonly tensors: number;
  readonly bytes: number;
  readonly rounded: number;
  readonly quantised: number;
  readonly leftOut: readonly string[];
}

type Convert = (onProgress: (bytesDone: number, bytesTotal: number) => void, signal: AbortSignal) => Promise<Converted>;

const count = (value: number): string => value.toLocaleString('en');

function summary(converted: Converted, out: string, seconds: number): string {
  const { model, dtype, files, tensors, bytes, rounded, quantised, leftOut } = converted;
  return [
    `${printable(model)}  →  ${out}`,
    `${count(tensors)} tensors, ${sizeText(bytes)} in ${count(files)} file${files === 1 ? '' : 's'}, ${seconds.toFixed(1)} s`,
    `${count(rounded)} values were rounded to bfloat16; none is NaN or infinite`,
    ...(quantised > 0
      ? [
          `${count(quantised)} values are stored in 8 bits: load them with --dtype ${dtype}${dtype === 'fp8' ? ' on a CUDA card' : ''}`,
        ]
      : []),
    ...(leftOut.length > 0 ? [`left out, because the model does not use them: ${printable(leftOut.join(', '))}`] : []),
  ].join('\n');
}

/** `eyrie model convert`. Ctrl-C removes what was written. Returns the exit code. */
export async function runModelConvert(out: string, convert: Convert): Promise<number> {
  const progress = new ProgressLine();
  const stop = new AbortController();
  const onInterrupt = (): void =>
    stop.abort(new EyrieError('service_unavailable', `Interrupted; ${out} was not written.`));
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  try {
    const converted = await convert((done, total) => {
      const part = done / Math.max(1, total);
      const rate = `${sizeText(done / Math.max(0.001, elapsed()))}/s`;
      progress.update(part, `${Math.floor(100 * part)} %  ${sizeText(done)} of ${sizeText(total)}  ${rate}`);
    }, stop.signal);
    progress.end();
    note(summary(converted, out, elapsed()));
    return 0;
  } finally {
    progress.end();
    process.removeListener('SIGINT', onInterrupt);
    process.removeListener('SIGTERM', onInterrupt);
  }
}
