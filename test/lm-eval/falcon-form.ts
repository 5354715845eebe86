import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

interface RefinedWebConfig {
  readonly hidden_size: number;
  readonly vocab_size: number;
  readonly n_layer: number;
  readonly n_head: number;
  readonly n_head_kv: number;
  readonly layer_norm_epsilon: number;
  readonly bos_token_id: number;
  readonly eos_token_id: number;
  readonly parallel_attn: boolean;
  readonly bias: boolean;
  readonly alibi: boolean;
}

/**
 * Writes a checkpoint of the 40B kind as the transformers library reads it: the same weights and tokenizer, with a config in the falcon
 * form, as the library knows the RefinedWeb form only through code that comes with a checkpoint. `target`: a folder to make.
 */
export async function writeFalconForm(checkpoint: string, target: string): Promise<void> {
  await mkdir(target);
  for (const name of [
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
    'generation_config.json',
  ])
    await copyFile(path.join(checkpoint, name), path.join(target, name));
  const config = JSON.parse(await readFile(path.join(checkpoint, 'config.json'), 'utf8')) as RefinedWebConfig;
  const falcon = {
    model_type: 'falcon',
    architectures: ['FalconForCausalLM'],
    hidden_size: config.hidden_size,
    vocab_size: config.vocab_size,
    num_hidden_layers: config.n_layer,
    num_attention_heads: config.n_head,
    num_kv_heads: config.n_head_kv,
    layer_norm_epsilon: config.layer_norm_epsilon,
    bos_token_id: config.bos_token_id,
    eos_token_id: config.eos_token_id,
    parallel_attn: config.parallel_attn,
    bias: config.bias,
    alibi: config.alibi,
    new_decoder_architecture: true,
    tie_word_embeddings: true,
  };
  await writeFile(path.join(target, 'config.json'), JSON.stringify(falcon));
}
