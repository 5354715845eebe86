import { z } from 'zod';
import { fp8Keepable } from '../domain/engine-choices.js';
import { gpuNames } from '../domain/gpu/cards.js';
import { cardWeights } from '../domain/model-memory.js';

const bytes = z.number().int().nonnegative();
const milliseconds = z.number().nonnegative();

/** What `eyrie plan --json` prints. All speeds are computed from data sheets; docs/gpu.md has what was measured. */
export const gpuPlanReport = z.strictObject({
  schema_version: z.literal(1),
  model: z.string(),
  gpu: z.enum(gpuNames),
  gpu_name: z.string(),
  count: z.number().int(),
  weights: z.enum(cardWeights),
  /** Matrices of the layers that stay bfloat16 with fp8. */
  fp8_keep: z.array(z.enum(fp8Keepable)),
  /** Cards that share one model, and models that run side by side. */
  tensor_parallel: z.number().int(),
  workers: z.number().int(),
  prompt_tokens: z.number().int(),
  output_tokens: z.number().int(),
  /** Of one card. */
  memory: z.strictObject({
    total_bytes: bytes,
    /** Assumed to be taken by driver, error correction, CUDA's context and fragments. */
    taken_bytes: bytes,
    weight_bytes: bytes,
    /** Of a pass, of the slots, of the sampler. */
    buffer_bytes: bytes,
    /** Of the matrix products. */
    workspace_bytes: bytes,
    /** Left free on purpose: graphs, loading, fragments. */
    reserve_bytes: bytes,
    /** Keys and values: what there is room for. */
    kv_bytes: bytes,
    kv_pages: z.number().int(),
    kv_tokens: z.number().int(),
    /** Of these, what a worker takes: at most what its slots can use. */
    kv_pages_taken: z.number().int(),
    sequences_of_full_context: z.number().int(),
  }),
  /** Sequences that one worker decodes together. */
  slots: z.number().int(),
  decode: z.array(
    z.strictObject({
      rows: z.number().int(),
      context_tokens: z.number().int(),
      products_ms: milliseconds,
      kv_ms: milliseconds,
      head_ms: milliseconds,
      rest_ms: milliseconds,
      step_ms: milliseconds,
      tokens_per_second: z.number(),
      share_of_roofline: z.number(),
    }),
  ),
  /** Of all workers, generated tokens only. */
  output_tokens_per_second: z.number(),
  usd_per_million_output_tokens: z.number().nullable(),
});
export type GpuPlanReport = z.infer<typeof gpuPlanReport>;
