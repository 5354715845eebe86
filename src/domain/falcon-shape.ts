/** Shape of a Falcon decoder after all config aliases were resolved. Sizes are element counts. */
export interface FalconShape {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly queryHeads: number;
  /** Key/value heads; queryHeads / kvHeads query heads share one. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  /** Positions a sequence may use, prompt and completion together. */
  readonly contextTokens: number;
  readonly layerNormEpsilon: number;
  readonly ropeTheta: number;
  /** true: attention and MLP read the same x and are added together (40B, 7B, 11B); false: one after the other (rw). */
  readonly parallelAttention: boolean;
  /** Norms before a parallel layer: 2 = ln_attn and ln_mlp (40B), 1 = a shared input_layernorm (7B, 11B). Sequential layers: 2. */
  readonly normsPerLayer: 1 | 2;
  readonly linearBias: boolean;
  /** true: alibi biases instead of rotary positions (rw). */
  readonly alibi: boolean;
  /** true: logits use word_embeddings; false: lm_head.weight. */
  readonly tiedHead: boolean;
}
