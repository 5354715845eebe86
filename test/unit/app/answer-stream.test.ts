import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AnswerStream } from '../../../src/app/line/answer-stream.js';
import { toLineRequest } from '../../../src/app/line/line-request.js';
import { responseJson } from '../../../src/app/line/response-json.js';
import { runSequences } from '../../../src/app/line/run-sequences.js';
import type { Endpoint } from '../../../src/domain/served-model.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { testModel } from '../../support/fake-world.js';
import { responseObject } from '../../support/response-object.js';
import { ScriptedEngine, type Script } from '../../support/scripted-engine.js';

interface Logprobs {
  readonly tokens?: unknown[];
  readonly token_logprobs?: unknown[];
  readonly top_logprobs?: unknown[] | null;
  readonly text_offset?: unknown[];
  readonly content?: unknown[];
}

interface Choice {
  readonly index: number;
  readonly text?: string;
  readonly delta?: { readonly role?: string; readonly content?: string };
  readonly message?: { readonly content: string };
  readonly logprobs: Logprobs | null;
  readonly finish_reason: string | null;
  readonly token_ids?: number[];
  readonly prompt_token_ids?: number[];
}

interface Event {
  readonly choices: readonly Choice[];
  readonly usage?: object | null;
  readonly eyrie?: object;
}

const tokenizer = new ByteTokenizer();
const frame = { id: 'x', created: 1, model: 'm', fingerprint: 'f' };
const never = new AbortController().signal;

async function both(
  endpoint: Endpoint,
  fields: object,
  script: Script,
  tokensPerNews: number,
): Promise<{ whole: Event & { choices: Choice[] }; events: Event[] }> {
  const content = endpoint === '/v1/completions' ? { prompt: 'Hi' } : { messages: [{ role: 'user', content: 'Hi' }] };
  const body = { model: 'falcon', ...content, ...fields };
  const line = await toLineRequest(
    { customId: 'a', endpoint, body },
    { model: testModel, tokenizer, grammars: new FakeGrammars() },
  );
  const engine = new ScriptedEngine(script, { tokensPerNews, variedLogprobs: true });
  const events: Event[] = [];
  const stream = new AnswerStream(frame, line, true, tokenizer, (text) => events.push(JSON.parse(text) as Event));
  await stream.finish(await runSequences(line, engine, never, stream), new FakeClock());
  const results = await runSequences(line, engine, never);
  const json = [...responseJson(frame, line, results, tokenizer)].join('');
  expect(json).toBe(JSON.stringify(responseObject(frame, line, results, tokenizer)));
  return { whole: JSON.parse(json) as Event & { choices: Choice[] }, events };
}

const join = (parts: readonly (unknown[] | null | undefined)[]): unknown[] => parts.flatMap((part) => part ?? []);

/** The choices of the whole answer, put together from the events as a client does it. */
function assembled(events: readonly Event[], whole: readonly Choice[]): unknown[] {
  return whole.map(({ index, logprobs, message }) => {
    const mine = events.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
    const last = mine.at(-1);
    const of = (name: keyof Logprobs): unknown[] => join(mine.map((choice) => choice.logprobs?.[name]));
    const ids = last?.token_ids && { token_ids: last.token_ids, prompt_token_ids: last.prompt_token_ids };
    if (message)
      return {
        index,
        message: {
          role: mine[0]?.delta?.role,
          content: mine.map(({ delta }) => delta?.content ?? '').join(''),
          refusal: null,
        },
        logprobs: logprobs && { content: of('content'), refusal: null },
        finish_reason: last?.finish_reason,
        ...ids,
      };
    return {
      index,
      text: mine.map(({ text }) => text).join(''),
      logprobs: logprobs && {
        tokens: of('tokens'),
        token_logprobs: of('token_logprobs'),
        top_logprobs: logprobs.top_logprobs && of('top_logprobs'),
        text_offset: of('text_offset'),
      },
      finish_reason: last?.finish_reason,
      ...ids,
    };
  });
}

/** Texts full of what is hard: turn markers and stop strings, whole and half, and characters of one to four bytes. */
const pieces = [
  ' ',
  '\n',
  '<',
  '<hum',
  '<human>:',
  '<bot',
  '\n<bot>:',
  'ab',
  'aba',
  'b',
  'é',
  '€',
  '😀',
  '\uFEFF',
  'ok',
];
const text = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join(''));
const stops = fc.subarray(['ab', 'abab', 'b€', '😀😀', 'aab', 'k\n'], { maxLength: 3 });

test('the events of a chat put together are the whole answer, whatever is said and however its tokens come', () =>
  fc.assert(
    fc.asyncProperty(
      text,
      stops,
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom({}, { logprobs: true }, { logprobs: true, top_logprobs: 2 }),
      async (said, stop, tokensPerNews, maxTokens, logprobs) => {
        const fields = { stop, max_tokens: maxTokens, n: 2, return_token_ids: true, ...logprobs };
        const { whole, events } = await both('/v1/chat/completions', fields, () => said, tokensPerNews);
        expect(assembled(events, whole.choices)).toEqual(whole.choices);
        expect(events.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
        for (const event of events.slice(0, -1)) expect(event.usage).toBeNull();
      },
    ),
    { numRuns: 500 },
  ));

test('the events of a completion put together are the whole answer, whatever is said and however its tokens come', () =>
  fc.assert(
    fc.asyncProperty(
      text,
      stops,
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom({}, { logprobs: 0 }, { logprobs: 2 }, { best_of: 4 }, { best_of: 4, logprobs: 1 }),
      fc.boolean(),
      async (said, stop, tokensPerNews, maxTokens, more, echo) => {
        const fields = {
          prompt: [
            [72, 0xc3],
            [0xf0, 0x9f],
          ],
          stop,
          max_tokens: maxTokens,
          n: 2,
          echo,
          ...more,
        };
        const { whole, events } = await both(
          '/v1/completions',
          fields,
          (_, { sequenceKey }) => `${said}${sequenceKey}`,
          tokensPerNews,
        );
        expect(assembled(events, whole.choices)).toEqual(whole.choices);
      },
    ),
    { numRuns: 500 },
  ));

test('no character is ever split, and no part of a stop string or turn marker is shown', async () => {
  const said = ' é€😀 <hum!<human>:';
  const { events } = await both('/v1/chat/completions', { max_tokens: 40 }, () => said, 1);
  const shown = events.flatMap(({ choices }) => choices.map(({ delta }) => delta?.content ?? '')).filter(Boolean);
  // "<hum" might begin a marker, until what follows shows that it does not.
  expect(shown).toEqual(['é', '€', '😀', ' ', '<hum!']);
});

test('scoring gives each choice in one event, with the log-probabilities of its prompt', async () => {
  const fields = { prompt: [[72, 105], [72]], max_tokens: 0, echo: true, logprobs: 1 };
  const { whole, events } = await both('/v1/completions', fields, () => 'x', 1);
  expect(events.map(({ choices }) => choices.length)).toEqual([1, 1, 0]);
  expect(events.flatMap(({ choices }) => choices)).toEqual(whole.choices);
});

test('what it takes to get the same answer again comes with the last event of each choice', async () => {
  const { whole, events } = await both('/v1/completions', { seed: 7, n: 2 }, () => 'x', 1);
  const last = events.filter(({ choices }) => choices.some((choice) => choice.finish_reason !== null));
  expect(last.map(({ eyrie }) => eyrie)).toEqual([whole.eyrie, whole.eyrie]);
  expect(whole.eyrie).toEqual({ seed: 7 });
});
