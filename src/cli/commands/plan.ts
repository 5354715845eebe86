import type { GpuPlanReport } from '../../contract/gpu-plan.js';
import { kvPageTokens } from '../../domain/gpu/card-buffers.js';
import { gpuCards } from '../../domain/gpu/cards.js';
import { freeBytesOf } from '../../domain/gpu/plan-gpu.js';
import { reportPlan, type PlanQuestion } from '../../domain/gpu/report-plan.js';
import type { FalconShape } from '../../domain/falcon-shape.js';
import { pc, print } from '../output.js';
import { printable } from '../printable.js';
import { sizeText } from '../size-text.js';
import { textTable } from '../text-table.js';

const count = (value: number): string => Math.round(value).toLocaleString('en');
const milliseconds = (seconds: number): number => Number((seconds * 1000).toFixed(3));
const decimals = (value: number): string => value.toFixed(1);

/** What `eyrie plan` says: what fits, what a pass takes, and what a million tokens cost at `usdPerHour` for one card. */
export function gpuPlan(
  model: string,
  shape: FalconShape,
  question: PlanQuestion,
  usdPerHour: number | null,
): GpuPlanReport {
  const answer = reportPlan(shape, question);
  const { plan } = answer;
  const card = gpuCards[question.gpu];
  const perHour = answer.outputTokensPerSecond * 3600;
  return {
    schema_version: 1,
    model,
    gpu: question.gpu,
    gpu_name: card.name,
    count: question.count,
    weights: answer.weights,
    fp8_keep: [...question.fp8Keep],
    tensor_parallel: answer.tensorParallel,
    workers: answer.workers,
    prompt_tokens: question.promptTokens,
    output_tokens: question.outputTokens,
    memory: {
      total_bytes: card.memoryBytes,
      taken_bytes: card.memoryBytes - freeBytesOf(card),
      weight_bytes: plan.weightBytes,
      buffer_bytes: plan.bufferBytes,
      workspace_bytes: plan.workspaceBytes,
      reserve_bytes: plan.reserveBytes,
      kv_bytes: plan.roomPages * plan.pageBytes,
      kv_pages: plan.roomPages,
      kv_tokens: plan.roomPages * kvPageTokens,
      kv_pages_taken: plan.kvPages,
      sequences_of_full_context: plan.fullSequences,
    },
    slots: plan.slots,
    decode: answer.decode.map(({ rows, contextTokens, step }) => ({
      rows,
      context_tokens: contextTokens,
      products_ms: milliseconds(step.productSeconds),
      kv_ms: milliseconds(step.kvSeconds),
      head_ms: milliseconds(step.headSeconds),
      rest_ms: milliseconds(step.restSeconds),
      step_ms: milliseconds(step.seconds),
      tokens_per_second: Number(step.tokensPerSecond.toFixed(1)),
      share_of_roofline: Number((step.rooflineSeconds / step.seconds).toFixed(3)),
    })),
    output_tokens_per_second: Number(answer.outputTokensPerSecond.toFixed(1)),
    usd_per_million_output_tokens:
      usdPerHour === null ? null : Number(((question.count * usdPerHour * 1e6) / perHour).toFixed(4)),
  };
}

function planText(plan: GpuPlanReport): string {
  const { memory, decode } = plan;
  const together = plan.tensor_parallel > 1 ? `, ${plan.tensor_parallel} cards share one model` : '';
  const idleCards = plan.count - plan.workers * plan.tensor_parallel;
  const idle = idleCards === 0 ? '' : `, ${idleCards} card${idleCards === 1 ? '' : 's'} idle`;
  const kept = plan.fp8_keep.length === 0 ? '' : ` (${plan.fp8_keep.join(', ')} in bfloat16)`;
  const cost =
    plan.usd_per_million_output_tokens === null
      ? 'give --usd-per-hour for the cost of a million tokens'
      : `$${plan.usd_per_million_output_tokens.toFixed(2)} per million generated tokens`;
  const unused =
    memory.kv_pages_taken < memory.kv_pages
      ? `; ${plan.slots} slots take ${count(memory.kv_pages_taken)} pages at most`
      : '';
  const rows = [
    ['rows', 'products', 'KV', 'head', 'rest', 'step', 'tokens/s', 'of roofline'],
    ...decode.map((step) => [
      `${step.rows}`,
      decimals(step.products_ms),
      decimals(step.kv_ms),
      decimals(step.head_ms),
      decimals(step.rest_ms),
      `${decimals(step.step_ms)} ms`,
      count(step.tokens_per_second),
      `${(100 * step.share_of_roofline).toFixed(0)} %`,
    ]),
  ];
  return [
    `${pc.bold(printable(plan.model))}  ${plan.count} × ${plan.gpu_name}, ${plan.weights} weights${kept}, ${plan.workers} worker${plan.workers === 1 ? '' : 's'}${together}${idle}`,
    `\n${pc.bold('memory of a card')}`,
    textTable(
      [
        ['weights', sizeText(memory.weight_bytes)],
        ['buffers', sizeText(memory.buffer_bytes)],
        ['workspace', sizeText(memory.workspace_bytes)],
        ['reserve', `${sizeText(memory.reserve_bytes)}, beside ${sizeText(memory.taken_bytes)} for driver and context`],
        [
          'KV cache',
          `${sizeText(memory.kv_bytes)}: ${count(memory.kv_pages)} pages, ${count(memory.kv_tokens)} tokens${unused}`,
        ],
        [
          'batch',
          `${plan.slots} sequences of ${plan.prompt_tokens} + ${plan.output_tokens} tokens together; room for ${count(memory.sequences_of_full_context)} of the full context`,
        ],
      ],
      '  ',
    ),
    `\n${pc.bold(`one step at ${decode[0]?.context_tokens ?? 0} tokens of context, milliseconds`)}`,
    textTable(rows, '  '),
    `\n${pc.bold('expected')}  ${count(plan.output_tokens_per_second)} generated tokens/s at ${plan.prompt_tokens} + ${plan.output_tokens} tokens; ${cost}`,
    pc.dim(
      'Computed from data sheets and the shares of them that good kernels reach; docs/gpu.md says what was measured so far.',
    ),
  ].join('\n');
}

export function printPlan(plan: GpuPlanReport, json: boolean): void {
  print(json ? printable(JSON.stringify(plan, null, 2)) : planText(plan));
}
