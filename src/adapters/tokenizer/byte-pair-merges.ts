import { z } from 'zod';
import type { TokenizerFile } from './tokenizer-file.js';

/** Merges in order of rank, as pairs or as texts with a space between. Anything that changes how they are used is refused. */
const plainModel = z.looseObject({
  vocab: z.record(z.string(), z.number()),
  merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  dropout: z.null().optional(),
  unk_token: z.null().optional(),
  continuing_subword_prefix: z.null().optional(),
  end_of_word_suffix: z.null().optional(),
  byte_fallback: z.literal(false).optional(),
  ignore_merges: z.literal(false).optional(),
});

/** Byte-pair encoding of single words: the pair of the lowest rank is joined first, the leftmost of equals, until none is left. */
export class BytePairMerges {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #ranks: ReadonlyMap<string, number>;

  private constructor(ids: ReadonlyMap<string, number>, ranks: ReadonlyMap<string, number>) {
    this.#ids = ids;
    this.#ranks = ranks;
  }

  /** Null for a model that does more than merge. */
  static of({ model }: TokenizerFile): BytePairMerges | null {
    const { success, data } = plainModel.safeParse(model);
    if (!success) return null;
    const ranks = new Map<string, number>();
    for (const [rank, merge] of data.merges.entries())
      ranks.set(typeof merge === 'string' ? merge : `${merge[0]} ${merge[1]}`, rank);
    return new BytePairMerges(new Map(Object.entries(data.vocab)), ranks);
  }

  /** Ids of a word in vocabulary form; null when a piece of it has none. Time grows with the square of its length. */
  encode(word: string): readonly number[] | null {
    const pieces = Array.from(word);
    for (;;) {
      let best = Infinity;
      let bestAt = -1;
      for (let at = 0; at + 1 < pieces.length; at++) {
        const rank = this.#ranks.get(`${pieces[at]} ${pieces[at + 1]}`);
        if (rank !== undefined && rank < best) {
          best = rank;
          bestAt = at;
        }
      }
      if (bestAt < 0) break;
      pieces.splice(bestAt, 2, `${pieces[bestAt]}${pieces[bestAt + 1]}`);
    }
    const ids = pieces.map((piece) => this.#ids.get(piece));
    return ids.every((id) => id !== undefined) ? ids : null;
  }
}
