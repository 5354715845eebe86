import { uniform } from '../workload.js';

const words =
  'the a of to and in that it was for on are as with they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part'.split(
    ' ',
  );

/** Sentences of common words with names and numbers in between, from a seed. */
function makeText(next: () => number, chars: number): string {
  let text = '';
  while (text.length < chars) {
    const pick = next();
    if (pick < 0.04) text += `${Math.floor(next() * 100_000)} `;
    else if (pick < 0.08) text += `${Math.floor(next() * 36 ** 5).toString(36)}, `;
    else text += `${words[Math.floor(next() * words.length)] ?? ''}${pick > 0.92 ? '. ' : ' '}`;
  }
  return text;
}

const stockChars = 1_000_000;

export interface LineOptions {
  readonly lines: number;
  readonly model: string;
  readonly promptChars: number;
  readonly maxTokens: number;
  readonly seed: number;
  /** Exactly `maxTokens` tokens are generated. */
  readonly ignoreEos?: boolean;
}

const linesPerChunk = 256;

/** A batch file of completion requests in chunks; the same on every machine. */
export function* requestChunks({
  lines,
  model,
  promptChars,
  maxTokens,
  seed,
  ignoreEos,
}: LineOptions): Generator<Buffer> {
  const next = uniform(seed);
  // Prompts are cut out of one long text: the sender must not be what is measured.
  const stock = makeText(next, stockChars + promptChars);
  const passage = (): string => {
    const start = Math.floor(next() * stockChars);
    return stock.slice(start, start + promptChars).trim();
  };
  for (let at = 0; at < lines; at += linesPerChunk) {
    const count = Math.min(linesPerChunk, lines - at);
    const chunk = Array.from({ length: count }, (_, k) =>
      JSON.stringify({
        custom_id: `request-${at + k}`,
        method: 'POST',
        url: '/v1/completions',
        body: {
          model,
          prompt: `<human>: ${passage()}?\n<bot>:`,
          max_tokens: maxTokens,
          temperature: 0,
          ...(ignoreEos === true ? { ignore_eos: true } : {}),
        },
      }),
    );
    yield Buffer.from(`${chunk.join('\n')}\n`);
  }
}
