import { z } from 'zod';
import { gpuNames } from '../domain/gpu/cards.js';

const bytes = z.number().int().nonnegative();

/** `eyrie model inspect DIR --json`. */
export const modelInspection = z.strictObject({
  schema_version: z.literal(1),
  model: z.string(),
  directory: z.string(),
  architecture: z.strictObject({
    form: z.enum(['40B', '7B', '11B', 'rw', 'other']),
    model_type: z.string(),
    layers: z.number().int(),
    hidden_size: z.number().int(),
    query_heads: z.number().int(),
    kv_heads: z.number().int(),
    head_dim: z.number().int(),
    ffn_size: z.number().int(),
    vocab_size: z.number().int(),
    context_tokens: z.number().int(),
    parallel_attention: z.boolean(),
    norms_per_layer: z.union([z.literal(1), z.literal(2)]),
    linear_bias: z.boolean(),
    positions: z.enum(['rotary', 'alibi']),
    /** null with alibi. */
    rope_theta: z.number().nullable(),
  }),
  parameters: z.strictObject({
    /** Trained values; a tied head counts once. */
    model: z.number().int(),
    /** Values in the files, buffers left out. */
    stored: z.number().int(),
  }),
  head: z.strictObject({
    /** Whether the logits use the embedding. */
    tied: z.boolean(),
    stored: z.boolean(),
    /** Values of a stored head that differ from the embedding; null when none is stored, or in another form. */
    differences: z.number().int().nullable(),
  }),
  end_of_text: z.strictObject({
    /** Id of `<|endoftext|>`; null without such a token. */
    id: z.number().int().nullable(),
    config: z.array(z.number().int()),
    generation_config: z.array(z.number().int()),
    /** Ids that end a sequence here. */
    used: z.array(z.number().int()),
  }),
  files: z.array(
    z.strictObject({
      name: z.string(),
      bytes,
      tensors: z.number().int(),
      /** Bytes of tensors by dtype, as safetensors spells it. */
      dtypes: z.record(z.string(), bytes),
    }),
  ),
  memory: z.strictObject({
    /** fp8 is for cards; null where no card can serve this form of model. */
    weight_bytes: z.strictObject({ float32: bytes, bfloat16: bytes, int8: bytes, fp8: bytes.nullable() }),
    kv_bytes_per_token: bytes,
    kv_bytes_per_slot: bytes,
  }),
  /** One card; sequences of the full context beside the weights, null where it does not fit or the card has no such arithmetic. */
  cards: z.array(
    z.strictObject({
      gpu: z.enum(gpuNames),
      name: z.string(),
      gigabytes: z.number().int(),
      bfloat16_sequences: z.number().int().nullable(),
      fp8_sequences: z.number().int().nullable(),
      int8_sequences: z.number().int().nullable(),
    }),
  ),
  model_card: z
    .strictObject({
      license: z.string().nullable(),
      cautions: z.array(z.strictObject({ title: z.string(), text: z.string() })),
    })
    .nullable(),
  warnings: z.array(z.string()),
});

export type ModelInspection = z.output<typeof modelInspection>;
