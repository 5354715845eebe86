import { randomBytes } from 'node:crypto';
import type { Attack } from './attack.js';

/** A schema that costs much to compile: so many members, none of them required, none known from another schema. */
export function heavySchema(salt: string, members = 1500): object {
  const properties = Object.fromEntries(
    Array.from({ length: members }, (_, at) => [`${salt}m${at}`, { type: 'integer' }]),
  );
  return { type: 'object', properties, additionalProperties: false };
}

const texts = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `Prompt ${at}: ${'what is twelve plus thirty and '.repeat(14)}`);
const ids = (count: number, length: number): number[][] =>
  Array.from({ length: count }, (_, at) => Array.from({ length }, (__, k) => 20 + ((at * 7 + k * 3) % 250)));

/** Small calls that ask for much. The demo model has a context and a vocabulary of 512 tokens each. */
const wide = (): object[] => [
  { prompt: 'Once', n: 16, max_tokens: 500, ignore_eos: true },
  { prompt: texts(128), echo: true, logprobs: 5, max_tokens: 0 },
  { prompt: texts(128), echo: true, logprobs: 5, max_tokens: 0, n: 4 },
  { prompt: texts(128), echo: true, logprobs: 5, max_tokens: 0, n: 16 },
  { prompt: ids(128, 500), echo: true, n: 16, max_tokens: 1, return_token_ids: true },
];

/** As wide as one may guess that a bound allows: many that are each let through. */
const belowBounds = (): object[] => [
  { prompt: texts(8), n: 4, max_tokens: 300, ignore_eos: true },
  { prompt: texts(32), max_tokens: 300, ignore_eos: true },
  { prompt: ids(16, 400), echo: true, logprobs: 5, max_tokens: 1 },
  { prompt: 'Once', n: 16, best_of: 16, logprobs: 5, max_tokens: 400, ignore_eos: true },
  { prompt: ids(1, 400), max_tokens: 100, ignore_eos: true },
];

const inLanes = (
  name: string,
  lanes: number,
  body: (lane: number, round: number) => object,
  path = '/v1/completions',
): Attack => ({
  name,
  prepare: (attacker, signal) =>
    Promise.resolve(() =>
      attacker.lanes(lanes, signal, (lane, round) =>
        attacker.call('POST', path, { model: attacker.target.model, ...body(lane, round) }, { signal }),
      ),
    ),
});

/** Words that no text has had before, as long as the tokenizer takes one: each has to be merged from its letters. */
const newWords = (words: number, letters: number): string =>
  Array.from({ length: words }, () =>
    Array.from(randomBytes(letters), (byte) => String.fromCharCode(97 + (byte % 26))).join(''),
  ).join(' ');

const bias = (tokens: number): object =>
  Object.fromEntries(Array.from({ length: tokens }, (_, at) => [String(at), (at % 200) - 100]));
const stops = Array.from({ length: 16 }, (_, at) => `${'z'.repeat(126)}${at}`.slice(0, 128));

export const liveAttacks: readonly Attack[] = [
  inLanes('live calls of many sequences', 5, (lane, round) => wide()[(lane + round) % 5] ?? {}),
  inLanes('many live calls below the bounds', 24, (lane, round) => belowBounds()[(lane + round) % 5] ?? {}),
  inLanes('24 connections of new heavy schemas', 24, (lane, round) => ({
    prompt: 'A',
    max_tokens: 2,
    guided_json: heavySchema(`s${lane}x${round}`),
  })),
  inLanes('new grammars of other kinds', 16, (lane, round) => {
    const salt = `${lane}x${round}`;
    const grammars = [
      { guided_regex: `(${salt}|a?){200}${'[a-z]?'.repeat(400)}` },
      { guided_regex: `((a|${salt}){1,60}){1,60}` },
      { guided_choice: Array.from({ length: 800 }, (_, at) => `${salt} ${'choice '.repeat(5)}${at}`) },
      { guided_grammar: `start: ${Array.from({ length: 300 }, (_, at) => `"${salt}${at}"`).join(' | ')}` },
      { guided_json: { type: 'array', maxItems: 1000, items: heavySchema(salt, 300) } },
      { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: heavySchema(salt, 900) } } },
    ];
    return { prompt: 'A', max_tokens: 2, ...grammars[(lane + round) % grammars.length] };
  }),
  {
    name: 'new long words in prompts and in /tokenize',
    prepare: (attacker, signal) => {
      const { model } = attacker.target;
      return Promise.resolve(() =>
        attacker.lanes(12, signal, (lane) =>
          lane % 2 === 0
            ? attacker.call('POST', '/tokenize', { model, prompt: newWords(1990, 62) }, { signal })
            : attacker.call(
                'POST',
                '/v1/completions',
                { model, prompt: Array.from({ length: 64 }, () => newWords(68, 62)), max_tokens: 1 },
                { signal },
              ),
        ),
      );
    },
  },
  inLanes('large logit_bias and stop', 12, () => ({
    prompt: 'Once',
    max_tokens: 200,
    ignore_eos: true,
    logit_bias: bias(512),
    stop: stops,
  })),
  inLanes('logit_bias of 50,000 tokens', 8, () => ({
    prompt: 'Once',
    n: 16,
    max_tokens: 100,
    logit_bias: bias(50_000),
  })),
  {
    name: 'live calls whose clients leave at once',
    prepare: (attacker, signal) => {
      const body = { model: attacker.target.model, prompt: texts(16), n: 4, max_tokens: 250, ignore_eos: true };
      return Promise.resolve(() =>
        attacker.lanes(24, signal, (lane) => attacker.leave(['POST', '/v1/completions', body], 20 + lane * 10, signal)),
      );
    },
  },
];
