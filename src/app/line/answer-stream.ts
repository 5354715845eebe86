import type { Clock } from '../../ports/clock.js';
import type { SequenceResult, TokenNews } from '../../ports/engine.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import { Breather } from '../breather.js';
import { choiceJson } from './choice-json.js';
import { ChoiceStream, type ChoicePiece } from './choice-stream.js';
import type { LineRequest } from './line-request.js';
import { concatTokens, tokenIdsOf, toRecipe, toUsage, type ResponseFrame } from './response-body.js';
import { inTurns, joined } from './response-json.js';
import type { PromptResult, SequenceWatcher } from './run-sequences.js';

/**
 * The answer to a line as the events of a stream in OpenAI's shape, each a JSON text. All pieces of a choice put together are the
 * choice of the whole answer. Where a choice is known at its end only (the best of several, or with the log-probabilities of its
 * prompt), it comes in one piece then.
 */
export class AnswerStream implements SequenceWatcher {
  readonly #frame: ResponseFrame;
  readonly #line: LineRequest;
  readonly #withUsage: boolean;
  readonly #tokenizer: Tokenizer;
  readonly #emit: (chunk: string) => void;
  readonly #inPieces: boolean;
  readonly #choices = new Map<number, ChoiceStream>();

  constructor(
    frame: ResponseFrame,
    line: LineRequest,
    withUsage: boolean,
    tokenizer: Tokenizer,
    emit: (chunk: string) => void,
  ) {
    this.#frame = frame;
    this.#line = line;
    this.#withUsage = withUsage;
    this.#tokenizer = tokenizer;
    this.#emit = emit;
    this.#inPieces = line.candidates === line.choices && !(line.echo && line.logprobs !== null);
  }

  onTokens(prompt: number, candidate: number, news: TokenNews): void {
    if (!this.#inPieces) return;
    const index = prompt * this.#line.choices + candidate;
    const piece = this.#choice(index, prompt).add(news);
    if (piece) this.#sendPiece(index, piece);
  }

  onResult(prompt: number, candidate: number, result: SequenceResult): void {
    if (!this.#inPieces) return;
    const index = prompt * this.#line.choices + candidate;
    const { text, logprobs } = this.#choice(index, prompt).end(result);
    const ids = tokenIdsOf(this.#line, this.#promptIds(prompt), result);
    const ending = { finish_reason: result.finishReason, ...ids };
    if (this.#line.format === 'completion') return this.#sendLast({ index, text, logprobs, ...ending });
    if (text !== '' || logprobs !== null) this.#sendPiece(index, { text, logprobs });
    this.#sendLast({ index, delta: {}, logprobs: null, ...ending });
  }

  /** When all sequences have ended. Gives others their turn between the choices that were not given out yet. */
  async finish(results: readonly PromptResult[], clock: Pick<Clock, 'monotonic' | 'turn'>): Promise<void> {
    const breather = new Breather(clock);
    if (!this.#inPieces)
      for (const [prompt, { chosen }] of results.entries())
        for (const [k, result] of chosen.entries()) {
          const index = prompt * this.#line.choices + k;
          const pieces = choiceJson(this.#line, this.#promptIds(prompt), result, index, this.#tokenizer);
          this.#emit(this.#chunk(await joined(inTurns(breather, pieces)), { eyrie: toRecipe(this.#line) }));
        }
    if (this.#withUsage) this.#send([], { usage: toUsage(this.#line, results) });
  }

  #promptIds(prompt: number): Uint32Array {
    return this.#line.prompts[prompt]?.ids ?? new Uint32Array();
  }

  /** The choice's own stream, begun with what stands before all that is generated. */
  #choice(index: number, prompt: number): ChoiceStream {
    const begun = this.#choices.get(index);
    if (begun) return begun;
    const echoed = this.#line.echo ? concatTokens(this.#promptIds(prompt), this.#tokenizer) : new Uint8Array();
    const choice = new ChoiceStream(this.#line, this.#tokenizer, echoed);
    this.#choices.set(index, choice);
    if (this.#line.format === 'chat')
      this.#send([
        { index, delta: { role: 'assistant', content: '', refusal: null }, logprobs: null, finish_reason: null },
      ]);
    return choice;
  }

  #sendPiece(index: number, { text, logprobs }: ChoicePiece): void {
    const content = this.#line.format === 'chat' ? { delta: { content: text } } : { text };
    this.#send([{ index, ...content, logprobs, finish_reason: null }]);
  }

  #sendLast(choice: object): void {
    this.#send([choice], { eyrie: toRecipe(this.#line) });
  }

  #send(choices: readonly object[], more: object = {}): void {
    this.#emit(this.#chunk(JSON.stringify(choices).slice(1, -1), more));
  }

  /** `choices`: those of the chunk as JSON. */
  #chunk(choices: string, more: object): string {
    const { id, created, model, fingerprint } = this.#frame;
    const object = this.#line.format === 'chat' ? 'chat.completion.chunk' : 'text_completion';
    // The official API shows `usage` in every event once it was asked for, and its value in the last one.
    const rest = { system_fingerprint: fingerprint, ...(this.#withUsage ? { usage: null } : {}), ...more };
    const head = JSON.stringify({ id, object, created, model }).slice(0, -1);
    return `${head},"choices":[${choices}],${JSON.stringify(rest).slice(1)}`;
  }
}
