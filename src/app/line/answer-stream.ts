import type { SequenceResult, TokenNews } from '../../ports/engine.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import { ChoiceStream, type ChoicePiece } from './choice-stream.js';
import type { LineRequest } from './line-request.js';
import { completionChoice, concatTokens, tokenIdsOf, toRecipe, toUsage, type ResponseFrame } from './response-body.js';
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

  /** When all sequences have ended. */
  finish(results: readonly PromptResult[]): void {
    if (!this.#inPieces)
      for (const [prompt, { chosen }] of results.entries())
        for (const [k, result] of chosen.entries()) {
          const index = prompt * this.#line.choices + k;
          this.#sendLast(completionChoice(this.#line, this.#promptIds(prompt), result, index, this.#tokenizer));
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
    const { id, created, model, fingerprint } = this.#frame;
    const chunk = {
      id,
      object: this.#line.format === 'chat' ? 'chat.completion.chunk' : 'text_completion',
      created,
      model,
      choices,
      system_fingerprint: fingerprint,
      // The official API shows it in every event once it was asked for, and its value in the last one.
      ...(this.#withUsage ? { usage: null } : {}),
      ...more,
    };
    this.#emit(JSON.stringify(chunk));
  }
}
