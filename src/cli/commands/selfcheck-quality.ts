import { createReadStream } from 'node:fs';
import { measureQuality, type Format, type QualityMeasurement, type Which } from '../../app/quality/measure-quality.js';
import { readPrompts } from '../../app/quality/score-texts.js';
import type { LineRules } from '../../app/line/line-request.js';
import { pc, print } from '../output.js';
import { fromFileError } from '../result-file.js';
import { textTable } from '../text-table.js';

export interface QualityQuestion {
  /** A batch file. */
  readonly file: string;
  readonly linesMax: number;
  /** Computed at a time; null: all, or as many as fit. */
  readonly layers: number | null;
  readonly json: boolean;
  readonly model: string;
  readonly reference: string;
  readonly candidate: string;
}

async function* readFile(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw fromFileError(error, file, 'read');
  }
}

const whichFormats: readonly Which[] = ['reference', 'candidate'];

/** What is unusual about how it was measured. */
function howMeasured(question: QualityQuestion, { answersFrom, layersAtOnce }: QualityMeasurement): readonly string[] {
  const lines = whichFormats.flatMap((which) => {
    const layers = layersAtOnce[which];
    return layers === null ? [] : [`${question[which]} was computed with ${layers} layers at a time.`];
  });
  if (answersFrom === 'candidate')
    lines.push(
      `The answers in the texts are those of ${question.candidate}: ${question.reference} does not fit whole.`,
    );
  if (answersFrom === null) lines.push('The texts are the prompts without answers: neither format fits whole.');
  return lines.map((line) => `  ${line}`);
}

function measurementText(question: QualityQuestion, measurement: QualityMeasurement): string {
  const { model, reference, candidate } = question;
  const { texts, comparison: result } = measurement;
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
    ...howMeasured(question, measurement),
  ].join('\n');
}

/** What other weights do to a model: see `measureQuality`, on the prompts of a batch file. */
export async function runQualityCheck(
  question: QualityQuestion,
  rules: LineRules,
  formats: Readonly<Record<Which, Format>>,
): Promise<void> {
  const prompts = await readPrompts(readFile(question.file), rules, question.linesMax);
  const measurement = await measureQuality(prompts, formats, question.layers);
  const { comparison: result } = measurement;
  print(
    question.json
      ? JSON.stringify({
          schema_version: 1,
          model: question.model,
          reference: question.reference,
          candidate: question.candidate,
          texts: measurement.texts,
          answers_from: measurement.answersFrom,
          layers_at_once: measurement.layersAtOnce,
          tokens: result.tokens,
          mean_logprob_difference: result.meanDifference,
          greatest_logprob_difference: result.greatestDifference,
          top_agreement: result.topAgreement,
          perplexity: result.perplexity,
        })
      : measurementText(question, measurement),
  );
}
