import { decodeText, TextOffsets } from '../../domain/decode-tokens.js';
import { heldBack } from '../../domain/held-back.js';
import type { SequenceResult, TokenNews } from '../../ports/engine.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import type { LineRequest } from './line-request.js';
import { cutRun, toChatLogprobs, toLegacyColumns, type TokenRun } from './logprobs-body.js';
import { toAnswerText } from './response-body.js';

/** What is new of a choice since its last piece. */
export interface ChoicePiece {
  readonly text: string;
  /** As in the whole answer, for the tokens that this piece is about; null when there are none or none were asked for. */
  readonly logprobs: object | null;
}

/** Tokens that have come and whose log-probabilities were not given out yet. */
class WaitingTokens {
  #runs: TokenRun[] = [];

  add({ tokenIds, logprobs }: TokenNews): void {
    if (logprobs) this.#runs.push({ ids: tokenIds, logprobs });
  }

  /** Takes the first tokens, as long as `may` says so. */
  takeWhile(may: (id: number) => boolean): TokenRun[] {
    const taken: TokenRun[] = [];
    for (let run = this.#runs.shift(); run; run = this.#runs.shift()) {
      const stop = run.ids.findIndex((id) => !may(id));
      if (stop === -1) taken.push(run);
      else {
        if (stop > 0) taken.push(cutRun(run, 0, stop));
        this.#runs.unshift(cutRun(run, stop, run.ids.length));
        break;
      }
    }
    return taken;
  }
}

/**
 * One sequence cut into pieces as its tokens come. Together the pieces are exactly the choice of the whole answer: characters are
 * never split, what may become a stop string or a turn marker is held back, and log-probabilities follow the text they are about.
 */
export class ChoiceStream {
  readonly #line: LineRequest;
  readonly #tokenizer: Tokenizer;
  readonly #stops: readonly Uint8Array[];
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #echoed: Uint8Array;
  /** Bytes that were not released, and those that were, as text. */
  #held: Uint8Array;
  #released = '';
  #bytesReleased = 0;
  /** Code units of the shown text that were given out. */
  #unitsGiven = 0;
  readonly #waiting = new WaitingTokens();
  /** Tokens whose log-probabilities were given out, and their bytes. */
  #tokensGiven = 0;
  #tokenBytesGiven = 0;
  readonly #offsets = new TextOffsets();

  /** `echoed`: the prompt's bytes, if the text begins with them; a character may begin in them and end in the answer. */
  constructor(line: LineRequest, tokenizer: Tokenizer, echoed: Uint8Array) {
    this.#line = line;
    this.#tokenizer = tokenizer;
    this.#echoed = echoed;
    this.#held = echoed;
    this.#stops = line.sampling.stop.map((stop) => Buffer.from(stop));
  }

  /** Takes tokens of a sequence that goes on; gives what can be shown by now, or null. */
  add(news: TokenNews): ChoicePiece | null {
    const bytes = Array.from(news.tokenIds, (id) => this.#tokenizer.tokenBytes(id));
    const held = Buffer.concat([this.#held, ...bytes]);
    const free = held.length - heldBack(held, this.#stops);
    this.#held = held.subarray(free);
    this.#released += this.#decoder.decode(held.subarray(0, free), { stream: true });
    this.#bytesReleased += free;
    const text = this.#newText(this.#released);
    const logprobs = this.#newLogprobs(news);
    return text === '' && logprobs === null ? null : { text, logprobs };
  }

  /** The rest, once the sequence has ended. */
  end(result: SequenceResult): ChoicePiece {
    const generated = decodeText(Buffer.concat([this.#echoed, result.textBytes]));
    const text = this.#newText(generated);
    const { tokenIds: ids, logprobs } = result;
    if (this.#line.logprobs === null || !logprobs) return { text, logprobs: null };
    const rest = cutRun({ ids, logprobs }, this.#tokensGiven, ids.length);
    return { text, logprobs: this.#toLogprobs([rest], result.textBytes.length, generated) };
  }

  #newText(generated: string): string {
    const text = toAnswerText(this.#line, generated).slice(this.#unitsGiven);
    this.#unitsGiven += text.length;
    return text;
  }

  #newLogprobs(news: TokenNews): object | null {
    if (this.#line.logprobs === null) return null;
    this.#waiting.add(news);
    let end = this.#tokenBytesGiven;
    const runs = this.#waiting.takeWhile((id) => {
      const begin = end;
      end += this.#tokenizer.tokenBytes(id).length;
      return begin < this.#bytesReleased && end <= this.#bytesReleased;
    });
    return runs.length === 0 ? null : this.#toLogprobs(runs, Infinity, null);
  }

  /** `generated`: the whole text, once it is known: nothing lies behind its end. */
  #toLogprobs(runs: readonly TokenRun[], textBytes: number, generated: string | null): object | null {
    const first = this.#tokenBytesGiven;
    const tokens = runs.flatMap(({ ids }) => Array.from(ids, (id) => this.#tokenizer.tokenBytes(id)));
    for (const token of tokens) {
      this.#tokensGiven += 1;
      this.#tokenBytesGiven += token.length;
    }
    if (this.#line.format === 'chat') {
      let at = first;
      const content = runs.flatMap((run) => {
        const part = toChatLogprobs(run, textBytes - at, this.#tokenizer).content;
        for (const id of run.ids) at += this.#tokenizer.tokenBytes(id).length;
        return part;
      });
      return content.length === 0 ? null : { content, refusal: null };
    }
    if (tokens.length === 0) return null;
    const end = generated === null ? Infinity : Array.from(generated).length;
    return { ...toLegacyColumns(runs, this.#tokenizer), text_offset: this.#offsets.next(tokens, end) };
  }
}
