import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { FalconShape } from '../domain/falcon-shape.js';
import { valueUpTo } from './within.js';

const endTokensAllowed = `a token id or an array of at most ${bounds.endTokensMax} is expected`;
/** The length of the array is looked at before its elements. */
export const endTokenIds = z
  .unknown()
  .refine((value) => !Array.isArray(value) || value.length <= bounds.endTokensMax, {
    error: endTokensAllowed,
    abort: true,
  })
  .pipe(z.union([z.number().int(), z.array(z.number().int())], endTokensAllowed));

const count = z.number().int().positive();
// What is made for a model (its list of tensors, the table of its tokens) is made by these numbers, before a weight is looked at.
const size = count.check(valueUpTo('modelSizeMax', `at most ${bounds.modelSizeMax} is expected`));
const layerCount = count.check(valueUpTo('modelLayersMax', `at most ${bounds.modelLayersMax} is expected`));
const flag = z.boolean().nullish();

/** config.json of RefinedWeb, RefinedWebModel and falcon checkpoints: all aliases, other keys ignored. */
const falconConfig = z.looseObject({
  model_type: z.enum(
    ['RefinedWeb', 'RefinedWebModel', 'falcon'],
    'RefinedWeb, RefinedWebModel and falcon are supported',
  ),
  num_hidden_layers: layerCount.nullish(),
  n_layer: layerCount.nullish(),
  num_attention_heads: size.nullish(),
  n_head: size.nullish(),
  hidden_size: size.nullish(),
  n_embed: size.nullish(),
  ffn_hidden_size: size.nullish(),
  num_kv_heads: size.nullish(),
  n_head_kv: size.nullish(),
  vocab_size: size,
  new_decoder_architecture: flag,
  multi_query: flag,
  parallel_attn: flag,
  num_ln_in_parallel_attn: z.union([z.literal(1), z.literal(2)]).nullish(),
  alibi: flag,
  bias: flag,
  tie_word_embeddings: flag,
  apply_residual_connection_post_layernorm: flag,
  layer_norm_epsilon: z.number().positive().nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: z.looseObject({ rope_type: z.string().nullish(), type: z.string().nullish() }).nullish(),
  rope_parameters: z
    .looseObject({ rope_type: z.string().nullish(), rope_theta: z.number().positive().nullish() })
    .nullish(),
  max_position_embeddings: count.nullish(),
  activation: z.string().nullish(),
  bos_token_id: z.number().int().nullish(),
  eos_token_id: endTokenIds.nullish(),
  _name_or_path: z.string().nullish(),
});

export type FalconConfig = z.output<typeof falconConfig>;

const invalid = (param: string, message: string): EyrieError =>
  new EyrieError('model_invalid', `config.json: ${message}`, { param: `config.${param}` });

/** Throws `model_invalid` that names the key. */
export function parseFalconConfig(json: unknown): FalconConfig {
  const result = falconConfig.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join('.') ?? '';
  throw invalid(key, `${key || 'the file'} is not valid: ${issue?.message ?? 'unknown reason'}.`);
}

function required(name: string, ...values: readonly (number | null | undefined)[]): number {
  const value = values.find((candidate) => typeof candidate === 'number');
  if (value === undefined) throw invalid(name, `${name} is missing.`);
  return value;
}

/** The context every Falcon but the 11B was trained with; used when no file says more. */
const contextDefault = 2048;
/** Tokenizer configs write a huge number for "no limit". */
const contextPlausibleMax = 1_000_000;

function contextOf(config: FalconConfig, modelMaxLength: number | null): number {
  const limits = [config.max_position_embeddings, modelMaxLength].filter(
    (limit): limit is number => Number.isInteger(limit) && Number(limit) > 0 && Number(limit) <= contextPlausibleMax,
  );
  return limits.length > 0 ? Math.min(...limits) : contextDefault;
}

/** Whether the fused projection is grouped by KV heads, as in the 40B. */
export const isNewDecoder = (config: FalconConfig): boolean =>
  config.new_decoder_architecture ?? (config.model_type === 'RefinedWeb' || config.n_head_kv != null);

function kvHeadsOf(config: FalconConfig, newDecoder: boolean, queryHeads: number): number {
  if (newDecoder) return config.num_kv_heads ?? config.n_head_kv ?? queryHeads;
  // The older forms know only two cases, whatever num_kv_heads says.
  return (config.multi_query ?? true) ? 1 : queryHeads;
}

function checkSupported(config: FalconConfig): void {
  if (config.activation != null && config.activation !== 'gelu')
    throw invalid('activation', `activation is "${config.activation}"; only the exact "gelu" is supported.`);
  if (config.apply_residual_connection_post_layernorm === true)
    throw invalid(
      'apply_residual_connection_post_layernorm',
      'apply_residual_connection_post_layernorm must be false.',
    );
  for (const type of [config.rope_scaling?.rope_type ?? config.rope_scaling?.type, config.rope_parameters?.rope_type])
    if (type != null && type !== 'default')
      throw invalid('rope_scaling', `rope_scaling has type "${type}"; only "default" is supported.`);
}

/**
 * The shape a config describes. `modelMaxLength` is `model_max_length` of tokenizer_config.json, null when there is none: the
 * 40B's config names no context. Throws `model_invalid` on what is missing, contradictory or not supported.
 */
export function toFalconShape(config: FalconConfig, modelMaxLength: number | null): FalconShape {
  checkSupported(config);
  const layers = required('num_hidden_layers', config.num_hidden_layers, config.n_layer);
  const queryHeads = required('num_attention_heads', config.num_attention_heads, config.n_head);
  const hiddenSize = required('hidden_size', config.hidden_size, config.n_embed);
  const newDecoder = isNewDecoder(config);
  const kvHeads = kvHeadsOf(config, newDecoder, queryHeads);
  if (hiddenSize % queryHeads !== 0)
    throw invalid('hidden_size', `hidden_size ${hiddenSize} is not a multiple of the ${queryHeads} attention heads.`);
  if (queryHeads % kvHeads !== 0)
    throw invalid('num_kv_heads', `the ${queryHeads} attention heads are no multiple of num_kv_heads ${kvHeads}.`);
  const headDim = hiddenSize / queryHeads;
  const alibi = config.alibi ?? false;
  if (!alibi && headDim % 2 !== 0)
    throw invalid('hidden_size', `rotary positions need an even head dimension; it is ${headDim}.`);
  const parallelAttention = newDecoder || (config.parallel_attn ?? true);
  const norms = parallelAttention ? (newDecoder ? (config.num_ln_in_parallel_attn ?? 2) : 1) : 2;
  return {
    layers,
    hiddenSize,
    queryHeads,
    kvHeads,
    headDim,
    ffnSize: config.ffn_hidden_size ?? 4 * hiddenSize,
    vocabSize: config.vocab_size,
    contextTokens: contextOf(config, modelMaxLength),
    layerNormEpsilon: config.layer_norm_epsilon ?? 1e-5,
    ropeTheta: config.rope_theta ?? config.rope_parameters?.rope_theta ?? 10_000,
    parallelAttention,
    normsPerLayer: norms,
    linearBias: config.bias ?? false,
    alibi,
    tiedHead: config.tie_word_embeddings ?? true,
  };
}
