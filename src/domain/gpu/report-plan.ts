import { EyrieError } from '../errors.js';
import { checkFp8Keep, type Fp8Keep } from '../engine-choices.js';
import type { FalconShape } from '../falcon-shape.js';
import { cardWeights, type CardForm, type CardWeights } from '../model-memory.js';
import { gpuCards, type GpuCard, type GpuName } from './cards.js';
import { decodeStep, outputTokensPerSecond, type StepTime } from './gpu-speed.js';
import { freeBytesOf, planGpu, type GpuPlan } from './plan-gpu.js';

export interface PlanQuestion {
  readonly gpu: GpuName;
  readonly count: number;
  /** null: fp8 where the card has it, else int8. */
  readonly weights: CardWeights | null;
  readonly fp8Keep: readonly Fp8Keep[];
  /** null: as many as give the most tokens a second, all cards together. */
  readonly tensorParallel: number | null;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export interface PlanAnswer {
  readonly weights: CardWeights;
  readonly tensorParallel: number;
  readonly workers: number;
  readonly plan: GpuPlan;
  readonly decode: readonly { readonly rows: number; readonly contextTokens: number; readonly step: StepTime }[];
  readonly outputTokensPerSecond: number;
}

const groupSizes = [1, 2, 4, 8] as const;
const decodeRows = [1, 64, 128, 192, 256] as const;

/** What a number of cards can do with a model. Throws `invalid_request` where it cannot be served so, saying what would do. */
export function reportPlan(shape: FalconShape, question: PlanQuestion): PlanAnswer {
  const card: GpuCard = gpuCards[question.gpu];
  const { promptTokens, outputTokens, count, fp8Keep } = question;
  const tokensPerSequence = promptTokens + outputTokens;
  if (tokensPerSequence > shape.contextTokens)
    throw new EyrieError(
      'invalid_request',
      `Prompt and output take ${tokensPerSequence} tokens; the model's context is ${shape.contextTokens}. Choose smaller --prompt-tokens or --output-tokens.`,
    );
  const weights = question.weights ?? (card.fp8FlopsPerSecond === null ? 'int8' : 'fp8');
  checkServable(shape, card, weights);
  if (fp8Keep.length > 0 && card.fp8FlopsPerSecond === null)
    throw new EyrieError(
      'invalid_request',
      `--fp8-keep is ${fp8Keep.join(',')}, which is for fp8 weights, and those cannot be served on ${card.name}. Leave it out.`,
    );
  checkFp8Keep(fp8Keep, [weights], '--weights');
  if (question.tensorParallel !== null) checkRanks(shape, count, question.tensorParallel);
  const formOf = (tensorParallel: number): CardForm => ({ weights, fp8Keep, tensorParallel });
  const planOf = (tensorParallel: number): GpuPlan | null =>
    planGpu(shape, freeBytesOf(card), { ...formOf(tensorParallel), tokensPerSequence });
  const speedOf = (tensorParallel: number): number => {
    const slots = planOf(tensorParallel)?.slots;
    if (slots === undefined) return 0;
    const lengths = { promptTokens, outputTokens };
    return (
      Math.floor(count / tensorParallel) * outputTokensPerSecond(shape, card, slots, lengths, formOf(tensorParallel))
    );
  };
  const possible = groupSizes.filter((size) => size <= count && takesRanks(shape, size));
  const tensorParallel = question.tensorParallel ?? fastest(possible, speedOf);
  const plan = tensorParallel === null ? null : planOf(tensorParallel);
  if (tensorParallel === null || plan === null) throw doesNotFit(shape, card, question, weights, planOf);

  const contextTokens = Math.round(promptTokens + outputTokens / 2);
  const rows = [...decodeRows.filter((size) => size < plan.slots), plan.slots];
  return {
    weights,
    tensorParallel,
    workers: Math.floor(count / tensorParallel),
    plan,
    decode: rows.map((size) => ({
      rows: size,
      contextTokens,
      step: decodeStep(shape, card, size, contextTokens, formOf(tensorParallel)),
    })),
    outputTokensPerSecond: speedOf(tensorParallel),
  };
}

/** The size with the highest speed, the smallest of equals; null where none works at all. */
const fastest = (sizes: readonly number[], speedOf: (size: number) => number): number | null =>
  sizes.reduce<number | null>(
    (best, size) => (speedOf(size) > (best === null ? 0 : speedOf(best)) ? size : best),
    null,
  );

/** Whether the kernels for cards have this form of model. */
export const servedByCards = (shape: FalconShape): boolean =>
  !shape.alibi && shape.parallelAttention && !shape.linearBias;

function checkServable(shape: FalconShape, card: GpuCard, weights: CardWeights): void {
  if (!servedByCards(shape))
    throw new EyrieError(
      'unsupported_device',
      'Cards serve the 7B, 11B, 40B and 180B forms: rotary positions, attention and MLP side by side, no linear biases. Serve this model with --device cpu.',
    );
  if (weights === 'fp8' && card.fp8FlopsPerSecond === null)
    throw new EyrieError(
      'invalid_request',
      `--weights is fp8, which cannot be served on ${card.name}: it needs a Hopper card (h100, h200). Choose ${cardWeights.filter((type) => type !== 'fp8').join(' or ')}.`,
    );
}

/** Each rank takes whole KV heads with their query heads, and an equal part of the feed-forward rows. */
const takesRanks = ({ kvHeads, ffnSize }: FalconShape, ranks: number): boolean =>
  kvHeads % ranks === 0 && ffnSize % (16 * ranks) === 0;

function checkRanks(shape: FalconShape, count: number, ranks: number): void {
  if (ranks > count)
    throw new EyrieError(
      'invalid_request',
      `--tensor-parallel is ${ranks}, but --count only ${count}; it must not be more.`,
    );
  if (!takesRanks(shape, ranks))
    throw new EyrieError(
      'invalid_request',
      `--tensor-parallel is ${ranks}; it must divide the model's ${shape.kvHeads} KV heads. Choose ${groupSizes.filter((size) => size <= count && takesRanks(shape, size)).join(', ')}.`,
    );
}

function doesNotFit(
  shape: FalconShape,
  card: GpuCard,
  { count }: PlanQuestion,
  weights: CardWeights,
  planOf: (tensorParallel: number) => GpuPlan | null,
): EyrieError {
  const enough = groupSizes.find((size) => takesRanks(shape, size) && planOf(size));
  const smaller = cardWeights.find(
    (type) =>
      type !== weights &&
      !(type === 'fp8' && card.fp8FlopsPerSecond === null) &&
      planGpu(shape, freeBytesOf(card), {
        weights: type,
        fp8Keep: [],
        tensorParallel: 1,
        tokensPerSequence: shape.contextTokens,
      }),
  );
  const ways = [
    ...(enough === undefined ? [] : [`--count ${enough}`]),
    ...(smaller === undefined ? [] : [`--weights ${smaller}`]),
    'a card with more memory',
  ];
  return new EyrieError(
    'invalid_request',
    `The model with ${weights} weights and one sequence of ${shape.contextTokens} tokens does not fit ${count} × ${card.name} (${card.gigabytes} GB). Choose ${ways.join(', or ')}.`,
  );
}
