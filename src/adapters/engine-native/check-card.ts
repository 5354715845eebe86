import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { EyrieError } from '../../domain/errors.js';
import { cudaLibrary } from './cuda-cards.js';

/** From `src/` and from `dist/src/`: see load-addon.ts. */
const fromHere = ['../../../native/build-cuda/eyrie_gpu', '../../../../native/build-cuda/eyrie_gpu'];

/** The check takes some seconds; a card that answers nothing for so long is not one to work with. */
const checkMsMax = 60_000;
const outputBytesMax = 1 << 20;

const checkLine = z.object({
  item: z.string(),
  name: z.string().optional(),
  ok: z.boolean().optional(),
  message: z.string().optional(),
});

export interface CardCheck {
  /** Operations that were compared with their twins on the CPU. */
  readonly checks: number;
  readonly seconds: number;
}

/** `eyrie_gpu`, which is built beside the CUDA library; null where there is none. */
function checkProgram(): string | null {
  const library = cudaLibrary();
  const paths = library
    ? [path.join(path.dirname(library), 'eyrie_gpu')]
    : fromHere.map((relative) => fileURLToPath(new URL(relative, import.meta.url)));
  return paths.find((file) => existsSync(file)) ?? null;
}

function run(
  program: string,
  args: readonly string[],
): Promise<{ readonly failure: Error | null; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: checkMsMax, maxBuffer: outputBytesMax }, (failure, output) =>
      resolve({ failure, output }),
    );
  });
}

function linesOf(output: string): z.infer<typeof checkLine>[] {
  return output.split('\n').flatMap((text) => {
    if (text.trim() === '') return [];
    const parsed = checkLine.safeParse(JSON.parse(text));
    return parsed.success ? [parsed.data] : [];
  });
}

/**
 * Compares the operations of a card, by CUDA's number, with their twins on the CPU, in a process of its own, which gives all it took back. Throws
 * `unsupported_device` when one differs or the check cannot be carried out: a card that computes wrongly must not serve.
 */
export async function checkCard(number = 0): Promise<CardCheck> {
  const program = checkProgram();
  if (program === null)
    throw new EyrieError(
      'unsupported_device',
      'The self-check of the card is not built: eyrie_gpu is not beside the CUDA library. Run `npm run native:cuda`, or choose --device cpu.',
    );
  const started = performance.now();
  const { failure, output } = await run(program, ['check', '--short', '--device', String(number)]);
  let lines: ReturnType<typeof linesOf> = [];
  try {
    lines = linesOf(output);
  } catch {
    // Output that is no JSON: the failure below says how the program ended.
  }
  const checks = lines.filter(({ item }) => item === 'check');
  const wrong = checks.filter(({ ok }) => ok !== true).map(({ name }) => name ?? 'unnamed');
  if (failure === null && wrong.length === 0 && checks.length > 0)
    return { checks: checks.length, seconds: (performance.now() - started) / 1000 };
  const reason =
    wrong.length > 0 ? `these operations differ from the CPU's: ${wrong.join(', ')}` : reasonOf(lines, failure);
  throw new EyrieError(
    'unsupported_device',
    `Card ${number} failed its self-check: ${reason}. Run \`${path.basename(program)} check\` for all of it; take another card, or choose --device cpu.`,
    failure === null ? {} : { cause: failure },
  );
}

function reasonOf(lines: readonly z.infer<typeof checkLine>[], failure: Error | null): string {
  const told = lines.find(({ item }) => item === 'error')?.message;
  if (told !== undefined) return told;
  return failure === null
    ? 'it checked nothing'
    : `it ended without a result (${failure.message.split('\n')[0] ?? ''})`;
}
