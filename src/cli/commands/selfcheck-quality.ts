import { createReadStream } from 'node:fs';
import { compareScores, type QualityComparison } from '../../app/quality/compare-scores.js';
import { answerGreedily, readPrompts, scoreTexts } from '../../app/quality/score-texts.js';
import type { LineRules } from '../../app/line/line-request.js';
import type { Engine } from '../../ports/engine.js';
import { pc, print } from '../output.js';
import { fromFileError } from '../result-file.js';
import { textTable } from '../text-table.js';

export interface QualityQuestion {
  /** A batch file. */
  readonly file: string;
  readonly linesMax: number;
  readonly json: boolean;
  readonly model: string;
  readonly reference: string;
  readonly candidate: string;
}

/** Opens the model with one number format of weights; one engine is open at a time, so that each may fill the memory. */
export type OpenWith = (dtype: 'reference' | 'candidate') => Promise<Engine>;

async function* readFile(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw fromFileError(error, file, 'read');
  }
}

async function withEngine<T>(open: Promise<Engine>, use: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await open;
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

function comparisonText(
  { model, reference, candidate }: QualityQuestion,
  texts: number,
  result: QualityComparison,
): string {
  const { tokens, perplexity } = result;
  return [
    `${pc.bold(model)}  ${candidate} against ${reference}, ${tokens.toLocaleString('en')} tokens of ${texts.toLocaleString('en')} texts`,
    textTable(
      [
        ['mean difference of log-probabilities', result.meanDifference.toFixed(5)],
        ['greatest difference', result.greatestDifference.toFixed(4)],
        ['same best token', `${(100 * result.topAgreement).toFixed(2)} %`],
        [`perplexity with ${reference}`, perplexity.reference.toFixed(4)],
        [`perplexity with ${candidate}`, perplexity.candidate.toFixed(4)],
      ],
      '  ',
    ),
  ].join('\n');
}

/**
 * What other weights do to a model's answers: the prompts of a batch file are answered greedily with the reference weights, and
 * prompts and answers are then scored with both.
 */
export async function runQualityCheck(question: QualityQuestion, rules: LineRules, open: OpenWith): Promise<void> {
  const prompts = await readPrompts(readFile(question.file), rules, question.linesMax);
  const { texts, reference } = await withEngine(open('reference'), async (engine) => {
    const answered = await answerGreedily(engine, prompts);
    return { texts: answered, reference: await scoreTexts(engine, answered) };
  });
  const candidate = await withEngine(open('candidate'), (engine) => scoreTexts(engine, texts));
  const result = compareScores(reference, candidate);
  print(
    question.json
      ? JSON.stringify({
          schema_version: 1,
          model: question.model,
          reference: question.reference,
          candidate: question.candidate,
          texts: texts.length,
          tokens: result.tokens,
          mean_logprob_difference: result.meanDifference,
          greatest_logprob_difference: result.greatestDifference,
          top_agreement: result.topAgreement,
          perplexity: result.perplexity,
        })
      : comparisonText(question, texts.length, result),
  );
}
