import type { FalconShape } from '../domain/falcon-shape.js';

export interface NormalConfigFacts {
  readonly shape: FalconShape;
  readonly newDecoder: boolean;
  readonly name: string;
  /** Ids that end a sequence, the usual one first. */
  readonly endTokenIds: readonly number[];
  readonly dtype: 'bfloat16' | 'int8' | 'fp8';
}

/**
 * config.json in the form of the transformers library, all aliases resolved; it describes the same shape. 8-bit weights are marked as a
 * quantisation of our own, so that other readers refuse them and do not take them for numbers.
 */
export function normalFalconConfig({ shape, newDecoder, name, endTokenIds, dtype }: NormalConfigFacts): object {
  const [end = null] = endTokenIds;
  return {
    _name_or_path: name,
    model_type: 'falcon',
    architectures: ['FalconForCausalLM'],
    num_hidden_layers: shape.layers,
    hidden_size: shape.hiddenSize,
    num_attention_heads: shape.queryHeads,
    num_kv_heads: shape.kvHeads,
    ffn_hidden_size: shape.ffnSize,
    vocab_size: shape.vocabSize,
    max_position_embeddings: shape.contextTokens,
    new_decoder_architecture: newDecoder,
    multi_query: !newDecoder && shape.kvHeads === 1,
    parallel_attn: shape.parallelAttention,
    num_ln_in_parallel_attn: newDecoder ? shape.normsPerLayer : null,
    alibi: shape.alibi,
    rope_theta: shape.ropeTheta,
    bias: shape.linearBias,
    layer_norm_epsilon: shape.layerNormEpsilon,
    activation: 'gelu',
    apply_residual_connection_post_layernorm: false,
    tie_word_embeddings: shape.tiedHead,
    attention_dropout: 0,
    hidden_dropout: 0,
    bos_token_id: end,
    eos_token_id: endTokenIds.length > 1 ? endTokenIds : end,
    torch_dtype: 'bfloat16',
    use_cache: true,
    ...(dtype === 'bfloat16'
      ? {}
      : { quantization_config: { quant_method: `eyrie_${dtype}`, bits: 8, scales: 'one float32 per output channel' } }),
  };
}
