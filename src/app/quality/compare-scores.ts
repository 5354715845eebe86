/** What one engine gives a text: for each token but the first, its log-probability and the best token in its place. */
export interface TextScore {
  readonly chosen: Float32Array;
  readonly best: Uint32Array;
}

export interface QualityComparison {
  /** Tokens that were scored. */
  readonly tokens: number;
  /** Mean and greatest absolute difference of log-probabilities, natural logarithm. */
  readonly meanDifference: number;
  readonly greatestDifference: number;
  /** Share of places where both have the same best token. */
  readonly topAgreement: number;
  readonly perplexity: { readonly reference: number; readonly candidate: number };
}

/** Compares the scores of the same texts by two engines. The first token of a text has no score. */
export function compareScores(reference: readonly TextScore[], candidate: readonly TextScore[]): QualityComparison {
  let tokens = 0;
  let differences = 0;
  let greatest = 0;
  let agreements = 0;
  const sums = { reference: 0, candidate: 0 };
  for (const [text, ours] of reference.entries()) {
    const theirs = candidate[text];
    for (let place = 1; place < ours.chosen.length; place++) {
      const expected = ours.chosen[place] ?? NaN;
      const seen = theirs?.chosen[place] ?? NaN;
      const difference = Math.abs(seen - expected);
      tokens++;
      differences += difference;
      greatest = Math.max(greatest, difference);
      sums.reference += expected;
      sums.candidate += seen;
      if (ours.best[place] === theirs?.best[place]) agreements++;
    }
  }
  const perplexity = (sum: number): number => Math.exp(-sum / tokens);
  return {
    tokens,
    meanDifference: differences / tokens,
    greatestDifference: greatest,
    topAgreement: agreements / tokens,
    perplexity: { reference: perplexity(sums.reference), candidate: perplexity(sums.candidate) },
  };
}
