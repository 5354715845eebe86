/** Bounds of the small files of a checkpoint. */
export const modelsBounds = Object.freeze({
  // Small files of a checkpoint. The published ones have some kB, 2.7 MB of tokenizer, 0.02 MB of model card.
  modelConfigBytesMax: 4 * 1024 * 1024,
  tokenizerBytesMax: 32 * 1024 * 1024,
  modelCardBytesMax: 1024 * 1024,
  /** Each file that a conversion copies beside the weights. */
  companionBytesMax: 64 * 1024 * 1024,
  /** Numbers of a config.json, far above those of the 180B: 80 layers, 59,392 wide, a vocabulary of 65,024. */
  modelLayersMax: 1024,
  modelSizeMax: 1024 * 1024,
  /** Of a tokenizer whose model is not known; else the model's vocabulary is the bound. */
  tokenizerVocabMax: 1024 * 1024,
  /** Ends of text that a config may name. */
  endTokensMax: 64,
});
